import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'

const here = fileURLToPath(new URL('..', import.meta.url))

/** A run of jest on test/fixtures/left-out.ts. */
async function runOfTests(ci: string) {
  const args = ['--testMatch', '**/test/fixtures/left-out.ts', '--no-color']
  const { exitCode, stderr } = await execa('node_modules/.bin/jest', args, {
    cwd: here,
    env: { CI: ci, PGBK_TEST_SERVERS: 'no' },
    reject: false,
  })
  return { exitCode, stderr }
}

describe('what a machine cannot test', () => {
  it('is left out, and named with the reason at the end', async () => {
    const { exitCode, stderr } = await runOfTests('')
    expect(stderr).toContain('3 skipped, 1 passed, 4 total')
    expect(stderr.split('Left out on this machine:')[1]).toContain(
      '  3 tests, needs program that-no-machine-has: not installed\n    3 of fixtures/left-out.ts\n',
    )
    expect(exitCode).toBe(0)
  })

  it('is a failure in CI', async () => {
    const { exitCode, stderr } = await runOfTests('true')
    expect(stderr).toContain('in CI nothing is left out')
    expect(exitCode).toBe(1)
  })
})
