// Names at the end of a run of the tests what has failed, shortly: of what CI prints, often only the end is kept.
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const mostCharacters = 600

/** A reporter of jest. */
export default class Failures {
  constructor({ rootDir }) {
    this.rootDir = rootDir
  }

  onRunComplete(_contexts, { testResults }) {
    const lines = testResults.flatMap(({ testFilePath, testResults: tests, testExecError }) => {
      const file = relative(this.rootDir, testFilePath)
      const failed = tests.filter(({ status }) => status === 'failed')
      const ofFile = testExecError
        ? [`${file}: ${shortly(testExecError.message ?? String(testExecError))}`]
        : []
      return [
        ...ofFile,
        ...failed.flatMap(({ fullName, failureMessages }) => [
          `${file}: ${fullName}`,
          ...failureMessages.slice(0, 1).map((message) => `    ${shortly(message)}`),
        ]),
      ]
    })
    if (lines.length > 0) process.stderr.write(`\nFailed:\n${lines.join('\n')}\n`)
  }
}

function shortly(message) {
  const plain = stripVTControlCharacters(message)
    .replace(/\n\s*at [\s\S]*/, '')
    .replace(/\s*\n\s*/g, ' | ')
    .replace(/ {2,}/g, ' ')
  return plain.length > mostCharacters ? `${plain.slice(0, mostCharacters)} ...` : plain
}
