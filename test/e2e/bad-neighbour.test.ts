import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { download } from '../helpers/download.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, run } from '../helpers/programs.js'
import { startReceiver } from '../helpers/receiver.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { anSshTo } from '../helpers/ssh.js'

let server: TestServer
beforeAll(async () => {
  server = await aServer({ major: anyMajor })
})

const idOfBad = '20990102T030000Z'
const inRecord =
  (changes: object) =>
  async ({ directory }: MadeBackup) => {
    const file = join(directory, 'backup.json')
    await aFile(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }))
  }
const byShell =
  (script: string) =>
  async ({ directory }: MadeBackup) =>
    void (await run(['sh', '-c', `cd "$1" && ${script}`, 'sh', directory]))

const kinds: [string, (bad: MadeBackup) => Promise<void>][] = [
  ['a record with a database that has no name', inRecord({ databases: [{}] })],
  ['a record with a server that has no identifier', inRecord({ server: { version: '15.1' } })],
  ['a file in place of wal', byShell('rm -r wal && echo x > wal')],
  ['a link to itself in place of wal', byShell('rm -r wal && ln -s wal wal')],
  ['a wal that is closed', byShell('chmod 000 wal')],
  ['data that is closed', byShell('chmod 000 snapshot/data')],
  ['a hold that is closed', byShell('echo x > hold.json && chmod 000 hold.json')],
]

describe.each(kinds)('beside a newer backup with %s', (what, damage) => {
  it('every command goes on', async () => {
    const good = await aBackupOf(server)
    const bad = await aTwinOf(good, idOfBad)
    await damage(bad)
    const pgbk = async (...args: string[]) => {
      const { status, stdout, stderr } = await runPgbk(['-C', good.root, ...args], { env: server.env })
      return { args, status, stdout, stderr }
    }
    const listed = await pgbk('list', '--json')
    expect(listed).toMatchObject({ status: 0 })
    const { backups, rejected } = JSON.parse(listed.stdout)
    expect(backups.map(({ id }: MadeBackup['record']) => id)).toContain(good.record.id)
    const told = [
      ...backups.map(({ id }: { id: string }) => id),
      ...rejected.map(({ name }: { name: string }) => name),
    ]
    expect(told).toContain(idOfBad)
    for (const one of rejected) expect(Object.keys(one)).toEqual(['name', 'reason'])
    // Not 1, a failure: 6 is what a check has found.
    expect([0, 6]).toContain((await pgbk('status')).status)
    expect([0, 6]).toContain((await pgbk('wal', 'status')).status)
    if (what.includes('hold')) expect(backups[0].hold.reason).toBe('hold.json is unreadable')
    expect(await pgbk('verify', '--all')).toMatchObject({
      status: what.includes('hold') ? 0 : 6,
      stdout: expect.stringContaining(good.record.id),
    })
    const isChosen = !what.includes('wal')
    if (isChosen) expect(await pgbk('local-run', '--', 'true')).toMatchObject({ status: 0 })
    const receiver = startReceiver(good.root, { env: server.env })
    await receiver.untilItSays(
      new RegExp(`into the archive of backup ${what.includes('hold') ? idOfBad : good.record.id}`),
    )
    await receiver.end()
    await server.sql("select pg_drop_replication_slot('pgbk')")
    expect(await pgbk('create')).toMatchObject({ status: 0 })
    await run(['chmod', '-R', 'u+rwX', bad.directory])
  }, 300_000)
})

it('a source in which wal is a file is not downloaded', async () => {
  const source = await aBackupOf(server)
  await byShell('rm -r wal && echo x > wal')(source)
  for (const from of [source.root, `test:${source.root}`]) {
    const { status, error } = await download(from, await aRoot(), [], { env: anSshTo({}) })
    expect([status, error.code, error.message]).toEqual([
      1,
      'damaged',
      expect.stringContaining('wal is not a directory'),
    ])
  }
})
