import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { aRoot } from '../helpers/server.js'

// What most tests rely on: helpers/pgbk-host.ts.
it('a command line does the same in a process that has carried out others as in one of its own', async () => {
  const root = await aRoot()
  const there = aDirectory('pgbk-there-')
  const calls: [string[], { env?: Record<string, string>; cwd?: string }][] = [
    [['--version'], {}],
    [['create', '--help'], {}],
    [['list', '--json'], { env: { PGBK_ROOT: root } }],
    [['list', '--json'], { cwd: there }],
    [['show', 'latest', '--json'], { cwd: there, env: { PGBK_TIME_ZONE: 'Nowhere/Land' } }],
    [['delete', '20260101T000000Z'], { cwd: root }],
    [['no-such-command'], {}],
    [['create', '--json', '-C', root], { env: { PGHOST: join(root, 'no-server') } }],
  ]
  const told = async (...call: Parameters<typeof runPgbk>) => {
    const { stdout, ...rest } = await runPgbk(...call)
    return { ...rest, stdout: stdout.replace(/"free_bytes":\d+/, '') }
  }
  for (const [args, options] of calls) {
    const alone = await told(args, { ...options, alone: true })
    const hosted = await told(args, options)
    const again = await told(args, options)
    expect({ args, hosted, again }).toEqual({ args, hosted: alone, again: alone })
  }
})
