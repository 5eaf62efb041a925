// Notes how long each test file has taken, for test/tools/sequencer.js: PGBK_TEST_SECONDS=test/tools/seconds.json npm test
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'

/** Those that take less come last anyway. */
const fewest = 5

/** A reporter of jest. */
export default class Seconds {
  constructor({ rootDir }) {
    this.rootDir = rootDir
  }

  onRunComplete(_contexts, { testResults }) {
    const path = process.env.PGBK_TEST_SECONDS
    if (!path) return
    const all = testResults.map(({ testFilePath, perfStats: { start, end } }) => [
      relative(this.rootDir, testFilePath),
      Math.round((end - start) / 1000),
    ])
    const long = all.filter(([, seconds]) => seconds >= fewest).sort(([, a], [, b]) => b - a)
    writeFileSync(path, `${JSON.stringify(Object.fromEntries(long), null, 2)}\n`)
  }
}
