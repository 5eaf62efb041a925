import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf } from '../helpers/chance.js'
import { aReadyRun, localRun, nothing, remainsOf, startLocalRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { wordsOf } from '../helpers/process-list.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aServer, fill } from '../helpers/server.js'
import { pidsIn } from '../helpers/servers-in.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

needs('user namespaces', '/dev/fuse').describe('a thin run', () => {
  let backup: MadeBackup
  let before: string
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor })
    await fill(server)
    backup = await aBackupOf(server)
    before = fingerprint(backup.directory)
  })

  const args = ['--working-copy', 'thin', '--dbname', 'app']
  // The shells around it have its words too.
  const fileServers = () =>
    pidsIn(backup.root).filter((pid) => /^\S*node .*file-server\.js lower/.test(wordsOf(pid).join(' ')))
  const isOver = () =>
    JSON.stringify(remainsOf(backup.root)) === JSON.stringify(nothing) && fileServers().length === 0

  it('ends when its file server is killed, says so, and leaves nothing', async () => {
    const command = ['sh', '-c', 'echo ready; psql -c "select pg_sleep(60)"; exit 3']
    const child = startLocalRun(backup.root, [...args, '--', ...command])
    let printed = ''
    child.stdout?.on('data', (chunk) => {
      printed += chunk
    })
    await until('COMMAND runs', () => printed !== '' || child.exitCode !== null)
    expect(fileServers()).toHaveLength(1)
    process.kill(Number(fileServers()[0]), 'SIGKILL')
    const { exitCode, stderr } = await child
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the server of the working copy ended by itself')
    expect(stderr).toContain('the file server of the working copy has ended')
    expect(isOver()).toBe(true)
  })

  it.each(['its server', 'pgbk'])('leaves nothing when %s is killed while it writes', async (victim) => {
    const one = await aReadyRun(backup.root, args)
    const writing = one.sql('create table more as select generate_series(1, 100000000)').catch(() => {})
    await until('it writes', async () => {
      const { stdout } = await run(['du', '-sk', `${one.directory}/store`])
      return Number.parseInt(stdout, 10) > 4000
    })
    process.kill((victim === 'pgbk' ? one.child.pid : one.pid) as number, 'SIGKILL')
    await one.child
    await writing
    await until('nothing of it is left', isOver)
    expect(fingerprint(backup.directory)).toBe(before)
  })

  it('keeps its file server while it is detached, until it is stopped', async () => {
    const { status, stdout } = await localRun(backup.root, ['--json', '--detach', ...args])
    expect(status).toBe(0)
    const { name, url, working_copy: copy } = JSON.parse(stdout).run
    expect(copy).toBe('thin')
    const rows = await run([
      `/usr/lib/postgresql/${anyMajor}/bin/psql`,
      '-XAtqc',
      'select count(*) from ledger',
      url,
    ])
    expect(rows.stdout).toBe('1000')
    expect(fileServers()).toHaveLength(1)
    expect(await runPgbk(['instance', 'stop', name, '-C', backup.root])).toMatchObject({ status: 0 })
    await until('nothing of it is left', isOver)
  })

  it.each(
    randomNumbers(roundsOf(3), 1500, 'thin').map((ms, n): [number, string] => [
      ms,
      ['pgbk', 'all', 'one of its processes'][n % 3] as string,
    ]),
  )('that is killed after %i ms (%s) leaves nothing after the next one', async (ms, whom) => {
    const child = startLocalRun(backup.root, args)
    await sleep(ms)
    const others = pidsIn(backup.root).filter((pid) => pid !== String(child.pid))
    const victims =
      whom === 'all' ? others : whom === 'pgbk' ? [] : others.slice(ms % others.length).slice(0, 1)
    if (victims.length === 0 || whom === 'all') child.kill('SIGKILL')
    for (const pid of victims) await run(['sh', '-c', `kill -9 ${pid} 2>&1 || :`])
    child.kill('SIGINT')
    await child
    expect(await localRun(backup.root, ['--', 'true'])).toMatchObject({ status: 0 })
    await until('nothing of it is left', isOver)
    expect(fingerprint(backup.directory)).toBe(before)
  })
})
