import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesToLeaveOut } from './test/tools/left-out.js'

// What is made once for all test files: clusters (test/helpers/new-cluster.ts), and a server for S3 (test/helpers/s3.ts).
const once = mkdtempSync(join(tmpdir(), 'pgbk-once-'))
chmodSync(once, 0o1777)
process.env.PGBK_TEST_ONCE = once
// Else one that ends jest by a signal would leave all of that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => process.exit(128 + constants.signals[signal]))
process.on('exit', () => {
  const lock = join(once, 's3.lock')
  const s3 = join(import.meta.dirname, 'test/tools/s3-server.sh')
  // It may be starting.
  if (existsSync(lock)) execFileSync('flock', ['--close', lock, s3, 'clean', '--dir', join(once, 's3')])
  rmSync(once, { recursive: true, force: true })
})

/** Tests run as ES modules (NODE_OPTIONS in package.json); swc only strips the types. */
export default {
  testEnvironment: process.env.PGBK_TEST_LEFT_OPEN ? './test/tools/left-open.js' : 'node',
  // Its clean-up of globals walks through all that a test file holds, and once ran out of stack.
  testEnvironmentOptions: { globalsCleanup: 'off' },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    ...filesToLeaveOut().map((file) => `^${file.replaceAll(/\W/g, '\\$&')}$`),
  ],
  // What failed is named once more at the end, but not told in full again.
  reporters: [
    ['default', { summaryThreshold: 10_000 }],
    '<rootDir>/test/tools/left-out.js',
    '<rootDir>/test/tools/seconds.js',
    '<rootDir>/test/tools/failures.js',
  ],
  testSequencer: '<rootDir>/test/tools/sequencer.js',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
  // A third of the time, tests wait for servers, but a third one at once slows two cores down by more than that.
  maxWorkers: 2,
  testTimeout: 240_000,
}
