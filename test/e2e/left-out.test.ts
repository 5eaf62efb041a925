import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, fileIn, type MadeBackup } from '../helpers/backup.js'
import { startSlowCreate, untilItCopies } from '../helpers/copying.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, attempt, oldestAndNewest, run, shareOf } from '../helpers/programs.js'
import { pgbkIn } from '../helpers/restore.js'
import { aRoot, aServer, openSnapshot, type TestServer } from '../helpers/server.js'
import { idsIn, noTraces, tracesOf } from '../helpers/traces.js'

/** Moves something of a server elsewhere and leaves a link; returns what puts it back. */
async function moveAway(path: string): Promise<() => Promise<unknown>> {
  const elsewhere = join(aDirectory('pgbk-disk-'), 'moved')
  await run(['mv', path, elsewhere])
  await run(['ln', '-s', elsewhere, path])
  return () => run(['sh', '-c', 'rm "$1" && mv "$2" "$1"', 'sh', path, elsewhere])
}

async function failedCreate(server: TestServer, env: Record<string, string> = {}) {
  const root = await aRoot()
  const { status, stdout } = await runPgbk(['create', '-C', root, '--json', '--quiet'], {
    env: { ...server.env, ...env },
  })
  expect(await tracesOf(root, server)).toEqual(noTraces)
  expect(idsIn(root)).toEqual([])
  return { status, ...JSON.parse(stdout).error }
}

describe.each(oldestAndNewest)('data of PostgreSQL %i that a base backup leaves out', (major) => {
  let server: TestServer
  let oid: string
  let space: string
  let inSpace: string
  beforeAll(async () => {
    // Clients hear no warnings of this server.
    server = await aServer({ major, settings: { client_min_messages: 'error' } })
    const location = join(server.directory, 'space')
    await run(['mkdir', location])
    await server.sql(
      `create role plain login replication; create database big; create tablespace ts location '${location}'`,
    )
    await server.sql(
      'create table t as select 1 as n; create table far tablespace ts as select 1 as n',
      'big',
    )
    oid = await server.sql("checkpoint; select oid from pg_database where datname = 'big'")
    const [version = ''] = readdirSync(location)
    space = `space/${version}`
    inSpace = `space/${await server.sql("select substring(pg_relation_filepath('far') from 'PG.*')", 'big')}`
  })

  const links: [string, () => string, RegExp][] = [
    ['a database', () => `data/base/${oid}`, /base\/\d+ \(database big\) is a symbolic link/],
    ['a file of a database', () => `data/base/${oid}/PG_VERSION`, /PG_VERSION \(database big\)/],
    ['the commit log', () => 'data/pg_xact', /pg_xact is a symbolic link/],
    ['all links of tablespaces', () => 'data/pg_tblspc', /pg_tblspc is a symbolic link/],
    ['a database in a tablespace', () => `${space}/${oid}`, /\(database big, tablespace ts\)/],
    ['a file in a tablespace', () => inSpace, /\(database big, tablespace ts\)/],
    [
      'a tablespace, below its location',
      () => space,
      /space\/PG_\S+ (of |\()tablespace ts\)? is a symbolic link/,
    ],
  ]

  it.each(shareOf(links, major))('is refused: %s that is a link', async (_, path, message) => {
    const putBack = await moveAway(join(server.directory, path()))
    try {
      for (const user of [{}, { PGUSER: 'plain' }])
        expect(await failedCreate(server, user)).toMatchObject({
          status: 5,
          code: 'refused',
          message: expect.stringMatching(message),
          hint: expect.stringContaining('CREATE TABLESPACE'),
        })
      const { status, stdout } = await runPgbk(['doctor', '-C', await aRoot()], { env: server.env })
      expect({ status, stdout }).toEqual({ status: 6, stdout: expect.stringMatching(message) })
    } finally {
      await putBack()
    }
  })

  it('is refused: a database whose directory is gone or empty', async () => {
    const directory = join(server.data, 'base', oid)
    const away = join(aDirectory('pgbk-disk-'), 'moved')
    await run(['sh', '-c', 'mv "$1" "$2" && mkdir -m 700 "$1"', 'sh', directory, away])
    try {
      const [asOwner, asPlain] = [await failedCreate(server), await failedCreate(server, { PGUSER: 'plain' })]
      expect(asOwner.message).toBe('the directory of database big is gone or empty on the server')
      expect(asPlain.message).toMatch(/the directory of database big \(base\/\d+ .*\) was not sent/)
      await run(['rmdir', directory])
      expect((await failedCreate(server)).message).toBe(asOwner.message)
    } finally {
      await run(['sh', '-c', 'rm -rf "$1" && mv "$2" "$1"', 'sh', directory, away])
    }
  })

  it('is all there when nothing is linked but pg_wal', async () => {
    const putBack = await moveAway(join(server.data, 'pg_wal'))
    await moveAway(join(server.data, 'pg_stat_tmp'))
    const backup = await aBackupOf(server)
    expect(backup.record.skipped).toBeUndefined()
    const copy = await openSnapshot(backup.snapshot, major)
    expect(await copy.sql('select n from t join far using (n)', 'big')).toBe('1')
    await copy.stop()
    await server.stop()
    await putBack()
  })
})

describe('what else a base backup leaves out', () => {
  let server: TestServer
  let backup: MadeBackup
  const linked = ['postgresql.conf', 'pg_hba.conf']
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    await server.stop()
    const etc = aDirectory('pgbk-etc-')
    await run([
      'sh',
      '-c',
      'cd "$1" && mv postgresql.conf pg_hba.conf "$2" && ln -s "$2"/* . && rm postgresql.auto.conf && ln -s /dev/null postgresql.auto.conf && ln -s /tmp log && mkfifo pipe && mkdir extra && ln -s nowhere extra/x',
      'sh',
      server.data,
      etc,
    ])
    await server.start()
    backup = await aBackupOf(server)
  }, 120_000)

  it('is said once, and stands in the record and in show', async () => {
    const lines = backup.stderr.split('\n').filter((line) => /special file/.test(line))
    expect(lines).toHaveLength(1)
    expect(backup.record.skipped?.toSorted()).toEqual(['extra/x', 'log', 'pipe'])
    const { stdout } = await runPgbk(['show', backup.record.id, '-C', backup.root])
    expect(stdout).toMatch(/^Left out +.*\blog\b/m)
  })

  it('is in the backup all the same when it is a configuration file', () => {
    expect(backup.record.config_files.map(({ copy }) => copy)).toEqual(expect.arrayContaining(linked))
    for (const name of linked) expect(fileIn(backup, `conf/original/${name}`)).not.toBe('')
    expect(fileIn(backup, 'conf/original/postgresql.conf')).toContain('cluster_name')
    expect(fileIn(backup, 'conf/original/postgresql.auto.conf')).toBe('')
  })

  it('is a configuration file for a role that may not read it: what pg_settings shows is kept', async () => {
    await server.sql('create role plain login replication')
    const { record, stderr, snapshot, ...rest } = await aBackupOf(server, { env: { PGUSER: 'plain' } })
    expect(record.skipped).toEqual(expect.arrayContaining([...linked, 'postgresql.auto.conf']))
    expect(stderr).toMatch(/special file.*postgresql\.conf/)
    expect(
      fileIn({ record, stderr, snapshot, ...rest }, 'conf/original/settings-from-pg_settings.conf'),
    ).toContain('cluster_name')
  })

  it('is seen by doctor', async () => {
    const { stdout } = await pgbkIn(backup.root, ['doctor', '--json'], { env: server.env })
    const check = JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === 'data directory')
    expect(check).toMatchObject({ status: 'warning', text: expect.stringMatching(/\bpipe\b/) })
  })
})

it('a file that the server may not read ends a create, which says what to do', async () => {
  const server = await aServer({ major: anyMajor })
  await run(['sh', '-c', 'echo x >"$1" && chmod 0 "$1"', 'sh', join(server.data, 'server.key.bak')])
  expect(await failedCreate(server)).toMatchObject({
    message: expect.stringContaining('server.key.bak'),
    hint: expect.stringMatching(/chown.*move/),
  })
})

describe.each(oldestAndNewest)(
  'a link in pg_tblspc of PostgreSQL %i that belongs to no tablespace',
  (major) => {
    let server: TestServer
    /** Where pg_basebackup comes to, which works in `/`; the server, whose present directory is its data, finds a tablespace there. */
    let outside: string
    beforeAll(async () => {
      server = await aServer({ major })
      outside = join(aDirectory('pgbk-outside-'), 'old')
      await server.sql('create role plain login replication')
      const space = join(server.directory, 'space')
      await run(['mkdir', space])
      await server.sql(`create tablespace ts location '${space}'`)
      const [version = ''] = readdirSync(space)
      const there = join(server.data, outside, version, '5')
      const link = join(server.data, 'pg_tblspc/99999')
      await run([
        'sh',
        '-c',
        'mkdir -p "$1" && echo x >"$1/1234" && ln -s "$2" "$3"',
        'sh',
        there,
        `/proc/self/cwd${outside}`,
        link,
      ])
    })

    it('is refused before anything is copied, and seen by doctor', async () => {
      const { message, hint } = await failedCreate(server)
      expect(message).toBe(
        `pg_tblspc/99999 of the server is a link to /proc/self/cwd${outside}, and no tablespace has that oid`,
      )
      expect(hint).toContain(`rm ${server.data}/pg_tblspc/99999`)
      const { status, stdout } = await runPgbk(['doctor', '-C', await aRoot()], { env: server.env })
      expect({ status, stdout }).toEqual({ status: 6, stdout: expect.stringContaining('pg_tblspc/99999') })
    })

    it('leads no create out of its root that may not ask for it', async () => {
      const canContain = (await attempt(['unshare', '--user', '--map-current-user', 'true'])).status === 0
      const { status, message, hint } = await failedCreate(server, { PGUSER: 'plain' })
      expect(status).not.toBe(0)
      expect(message).toContain('/proc/self/cwd')
      expect(hint).toContain('pg_tblspc')
      expect(existsSync(outside)).toBe(!canContain)
    })
  },
)

it('databases that come and go while a create runs do not end it', async () => {
  const server = await aServer({ major: anyMajor })
  await server.sql('create database goes; create database stays')
  await server.sql(
    "create table bulk as select n, repeat('x', 1500) as filler from generate_series(1, 20000) n",
    'stays',
  )
  const root = await aRoot()
  const child = startSlowCreate(server, root, ['--json'])
  await untilItCopies(server)
  await server.sql('drop database goes; create database comes template stays')
  const { exitCode, stdout } = await child
  expect(exitCode).toBe(0)
  const { directory } = JSON.parse(String(stdout)).backup
  const copy = await openSnapshot(join(directory, 'snapshot'), anyMajor)
  expect(
    await copy.sql(
      "select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate",
    ),
  ).toBe('comes postgres stays')
  expect(await copy.sql('select count(*) from bulk', 'comes')).toBe('20000')
  await copy.stop()
})
