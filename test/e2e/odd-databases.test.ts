import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, fileIn, type MadeBackup } from '../helpers/backup.js'
import { aReadyRun, failureOf, localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, run } from '../helpers/programs.js'
import { pgbkIn, restore } from '../helpers/restore.js'
import { aServer } from '../helpers/server.js'

const current = ['--', 'psql', '-XAtc', 'select current_database()']
const fill = 'create table t as select repeat(md5(g::text), 20) from generate_series(1, 20000) g'

describe('databases that nobody can open', () => {
  let backup: MadeBackup
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor })
    await server.sql(
      'create database shop; create database half; create database shut; create database limited',
    )
    for (const name of ['half', 'shut', 'limited']) await server.sql(fill, name)
    await server.sql(
      `
      update pg_database set datconnlimit = -2 where datname = 'half';
      alter database shut allow_connections false;
      alter database limited connection limit 0;
      drop database postgres;`,
      'template1',
    )
    backup = await aBackupOf(server, { env: { PGDATABASE: 'template1' } })
  }, 240_000)

  it('are known in the record, in show and in README, and one that is invalid is warned of', async () => {
    const access = Object.fromEntries(backup.record.databases.map(({ name, access }) => [name, access]))
    expect(access).toMatchObject({
      shop: 'open',
      half: 'invalid',
      shut: 'nobody',
      limited: 'superusers',
      template0: 'nobody',
    })
    expect(backup.stderr).toMatch(/database half is invalid.*interrupted DROP DATABASE.*drop it/)
    const { stdout } = await runPgbk(['show', backup.record.id, '-C', backup.root])
    expect(stdout).toMatch(/^ +half .*invalid/m)
    expect(fileIn(backup, 'README')).toContain('half (nobody can connect)')
    expect(fileIn(backup, 'README')).toMatch(/psql -h \/tmp -p 5432 -U focker (shop|limited)$/m)
  })

  it('are not chosen by a run, nor by restore', async () => {
    expect(await localRun(backup.root, current)).toMatchObject({ status: 0, stdout: 'shop' })
    const { stdout } = await restore(backup.root, ['--json', '--name', 'x'])
    expect(JSON.parse(stdout).instance.database).toBe('shop')
  })

  it.each([
    ['half', /nobody can connect to database "half": it is invalid/],
    ['shut', /nobody can connect to database "shut": it allows no connections/],
  ])('end a run that is for one: %s', async (name, message) => {
    const failure = await failureOf(backup.root, ['--dbname', name])
    expect(failure).toMatchObject({ status: 1, message: expect.stringMatching(message) })
    expect(failure.hint).toContain('shop')
  })

  it('that superusers may open can be opened', async () => {
    expect(await localRun(backup.root, ['--dbname', 'limited', ...current])).toMatchObject({
      stdout: 'limited',
    })
  })

  it('do not fail a proof', async () => {
    const { status, stdout } = await pgbkIn(backup.root, ['verify', '--prove'])
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('proven on') })
  })
})

describe('names that are no UTF-8', () => {
  let backup: MadeBackup
  let bytes: string
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor, initdb: ['-E', 'LATIN1', '--locale=C'] })
    const [utf8, latin1] = [join(server.directory, 'dépôt'), join(server.directory, 'dépôt\\=1')]
    await run(['mkdir', utf8])
    await run(['sh', '-c', 'mkdir "$1/$(printf "d\\351p\\364t\\134=1")"', 'sh', server.directory])
    bytes = Buffer.from(latin1, 'latin1').toString('hex')
    await server.sql(`
      set client_encoding = LATIN1; create tablespace one location '${utf8}';
      set client_encoding = UTF8; create tablespace two location '${latin1}';
      create table ledger tablespace two as select 7 as n; create database "café" tablespace one;`)
    backup = await aBackupOf(server)
  }, 240_000)

  it('are in the record as people read them, and as bytes', () => {
    const [one, two] = backup.record.tablespaces
    expect(one?.location_bytes).toBeUndefined()
    expect(one?.location).toMatch(/\/dépôt$/)
    expect(two).toMatchObject({ location: expect.stringMatching(/\/dépôt\\=1$/), location_bytes: bytes })
    const cafe = backup.record.databases.find(({ name }) => name === 'café')
    expect(cafe).toMatchObject({
      name_bytes: Buffer.from('café', 'latin1').toString('hex'),
      unlogged_tables: 0,
    })
    expect(backup.stderr).not.toContain('café')
  })

  it('can be opened and proven', async () => {
    const ready = await aReadyRun(backup.root, ['--dbname', 'café'])
    expect(ready.url).toMatch(/\/caf%E9$/)
    const { stdout } = await run(['psql', '-XAtc', 'show server_encoding', ready.url])
    expect(stdout).toBe('LATIN1')
    expect(await ready.sql('select n from ledger', 'postgres')).toBe('7')
    await ready.stop()
    const { status } = await pgbkIn(backup.root, ['verify', '--prove'])
    expect(status).toBe(0)
  })

  it('are not chosen by themselves: no COMMAND could be told', async () => {
    expect(await localRun(backup.root, current)).toMatchObject({ status: 0, stdout: 'postgres' })
    const { status, stderr } = await localRun(backup.root, ['--dbname', 'café', ...current])
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('it is not UTF-8') })
  })
})
