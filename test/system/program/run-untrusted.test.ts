import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { isAlive } from '../../../src/system/process/process-table.js'
import { runUntrusted, type UntrustedOptions } from '../../../src/system/program/run-untrusted.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'
import { until } from '../../helpers/traces.js'

const run = (script: string, options: Partial<UntrustedOptions> = {}) =>
  runUntrusted('/bin/sh', ['-c', script], {
    env: { PATH: '/usr/bin:/bin' },
    umask: 0o022,
    limitMs: 20_000,
    ...options,
  })

describe('a program of which nothing is expected', () => {
  it('gets its input, and is told by its status and what it printed', async () => {
    expect(await run('cat; echo oops >&2; exit 3', { input: 'in\n' })).toEqual({
      status: 3,
      stopped: false,
      output: 'in\noops\n',
    })
  })

  it('need not read its input, of whatever size', async () => {
    expect(await run('exit 0', { input: 'x'.repeat(10_000_000) })).toMatchObject({
      status: 0,
      stopped: false,
    })
  })

  it('may print megabytes, of which the last are kept', async () => {
    const { status, output } = await run('yes 0123456789 | head -c 20000000; echo; echo end')
    expect(status).toBe(0)
    expect(output).toMatch(/end\n$/)
    expect(output.length).toBeLessThanOrEqual(2000)
  })

  it('has the umask of the caller', async () => {
    expect((await run('umask', { umask: 0o027 })).output).toMatch(/^0?027\n$/)
  })

  it('that cannot be started is an error', async () => {
    expect(await thrownBy(() => run('true', { cwd: '/no/such/place' }))).toMatchObject({ name: 'PgbkError' })
  })
})

describe('a program that does not end', () => {
  const pidIn = (file: string) => Number(readFileSync(file, 'utf8'))

  it.each([
    ['by itself', 'echo $$ > pid; sleep 1000'],
    ['because a child holds its output', 'sleep 1000 & echo $! > pid'],
    ['on SIGTERM', 'trap "" TERM; echo $$ > pid; while :; do sleep 1; done'],
  ])('%s is ended with its whole group', async (_what, script) => {
    const cwd = aDirectory()
    expect(await run(script, { cwd, limitMs: 500 })).toMatchObject({ stopped: true })
    await until('it is gone', () => !isAlive(pidIn(join(cwd, 'pid'))))
  })

  it('and has left the group, is not waited for', async () => {
    const cwd = aDirectory()
    const script = 'setsid sh -c "echo \\$\\$ > pid; exec sleep 60" & sleep 60'
    expect(await run(script, { cwd, limitMs: 500 })).toMatchObject({ stopped: true })
    process.kill(pidIn(join(cwd, 'pid')))
  })

  it('is ended when somebody does not want to wait', async () => {
    const cwd = aDirectory()
    const stop = new AbortController()
    const ended = run('echo $$ > pid; sleep 1000', { cwd, signal: stop.signal })
    await until('it runs', () => existsSync(join(cwd, 'pid')) && pidIn(join(cwd, 'pid')) > 0)
    stop.abort()
    expect(await ended).toMatchObject({ stopped: true })
  })
})
