import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesToLeaveOut } from './test/tools/left-out.js'

// What initdb makes once for all test files: test/helpers/new-cluster.ts.
const clusters = mkdtempSync(join(tmpdir(), 'pgbk-clusters-'))
chmodSync(clusters, 0o1777)
process.env.PGBK_TEST_CLUSTERS = clusters
process.on('exit', () => rmSync(clusters, { recursive: true, force: true }))

/** Tests run as ES modules (NODE_OPTIONS in package.json); swc only strips the types. */
export default {
  testEnvironment: 'node',
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
  // A third of the time, tests wait for servers: two cores are enough for three at once.
  maxWorkers: 3,
  testTimeout: 120_000,
}
