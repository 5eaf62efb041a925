// What the tests leave out on a machine that cannot do all: which files jest does not even load, and the report at its end.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const tests = fileURLToPath(new URL('..', import.meta.url))

/** Names of test/helpers/programs.ts that mean a server on this machine. */
const ofServers =
  /import \{[^}]*\b(?:majors|\w+Majors?|eachMajorFrom|majors(?:From|Among)|oldest\w+|binOf)\b[^}]*\} from '[./]*(?:helpers)?\/programs\.js'/

const known = [13, 14, 15, 16, 17, 18]
const installed = known.filter((major) => existsSync(`/usr/lib/postgresql/${major}/bin/initdb`))
const tested = process.env.PGBK_TEST_MAJORS
  ? process.env.PGBK_TEST_MAJORS.split(/[ ,]+/).map(Number)
  : installed

/** Only what needs no server: asked for (`PGBK_TEST_SERVERS=no`), or because there is none here. */
const reasonForUnitTests =
  process.env.PGBK_TEST_SERVERS === 'no'
    ? 'PGBK_TEST_SERVERS=no'
    : tested.length === 0
      ? 'PostgreSQL is not installed'
      : undefined

/** The test files, absolute, that are not to be loaded. @throws in CI when that is for want of something. */
export function filesToLeaveOut() {
  if (reasonForUnitTests === undefined) return []
  if (process.env.CI && process.env.PGBK_TEST_SERVERS !== 'no')
    throw new Error(`in CI nothing is left out: ${reasonForUnitTests}`)
  const files = readdirSync(tests, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.test.ts'),
  )
  return files.map((name) => join(tests, name)).filter((file) => needsServers(file, new Set()))
}

/** Whether a test file, or a helper that it imports, starts servers. */
function needsServers(file, seen) {
  if (seen.has(file) || !existsSync(file)) return false
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  if (ofServers.test(text)) return true
  const imports = [...text.matchAll(/^(?:import|export) (?!type )[^']*?from '(\.[^']*)\.js'/gm)]
  return imports.some(([, path]) => {
    const target = resolve(dirname(file), `${path}.ts`)
    return target.startsWith(tests) && needsServers(target, seen)
  })
}

/** Says at the end of a run of the tests what was left out, and why (reporter of jest). */
export default class LeftOut {
  onRunComplete(_contexts, { testResults }) {
    const left = new Map()
    for (const { testFilePath, testResults: results } of testResults)
      for (const { status, fullName } of results) {
        const [, reason] = /\[(needs [^\]]*)\]/.exec(fullName) ?? []
        if (status !== 'pending' || reason === undefined) continue
        const files = left.get(reason) ?? new Map()
        left.set(reason, files.set(testFilePath, (files.get(testFilePath) ?? 0) + 1))
      }
    const lines = [...linesOfFiles(), ...linesOfMajors(), ...[...left].flatMap(linesOf)]
    if (lines.length > 0) process.stderr.write(`\nLeft out on this machine:\n${lines.join('\n')}\n`)
  }
}

function linesOf([reason, files]) {
  const sum = [...files.values()].reduce((all, one) => all + one, 0)
  return [
    `  ${sum} tests, ${reason}`,
    ...[...files].map(([file, count]) => `    ${count} of ${file.slice(tests.length)}`),
  ]
}

function linesOfFiles() {
  if (reasonForUnitTests === undefined) return []
  const files = filesToLeaveOut().map((file) => `    ${file.slice(tests.length)}`)
  return [`  what starts servers (${reasonForUnitTests}): ${files.length} files`, ...files.sort()]
}

function linesOfMajors() {
  const missing = known.filter((major) => !tested.includes(major))
  if (reasonForUnitTests !== undefined || missing.length === 0 || process.env.CI) return []
  const why = process.env.PGBK_TEST_MAJORS ? 'PGBK_TEST_MAJORS' : 'not installed'
  return [`  PostgreSQL ${missing.join(', ')} (${why}); tested: ${tested.join(', ')}`]
}
