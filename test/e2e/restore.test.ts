import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, aCopyOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { aBackupIn, eachUserMajorAndForm, forms, inForm } from '../helpers/forms.js'
import { aFreePort } from '../helpers/places.js'
import { anyMajor, binOf, majors, run } from '../helpers/programs.js'
import {
  archiveWal,
  ask,
  instancesIn,
  pgbkIn,
  refusal,
  restore,
  restored,
  writeSegments,
} from '../helpers/restore.js'
import {
  aRoot,
  aServer,
  aStandbyOf,
  fill,
  filledAnswer,
  filledRows,
  openSnapshot,
  type TestServer,
  verifies,
} from '../helpers/server.js'
import { serversIn } from '../helpers/servers-in.js'
import { fingerprint } from '../helpers/tree.js'
import { ordinaryUser } from '../helpers/users.js'

eachUserMajorAndForm('restore of a %f backup, started by %s, of PostgreSQL %i', (user, major, form) => {
  let server: TestServer
  let backup: MadeBackup
  beforeAll(async () => {
    server = await aServer({ major })
    await fill(server)
    backup = await aBackupIn(form, server)
    await writeSegments(server, 3)
    await archiveWal(server, backup, { gzip: true })
  })

  it(`by ${user} makes a server with all rows, up to the last one that was archived`, async () => {
    const asRoot = user === 'root'
    const before = fingerprint(backup.directory)
    const made = await restored(backup.root, [], { asRoot })
    expect(made).toMatchObject({
      backup: backup.record.id,
      state: 'running',
      role: 'focker',
      database: 'app',
    })
    expect(made.name).toMatch(/^postgres-restore-\d{8}T\d{6}Z$/)
    expect(made.wal.segments).toBeGreaterThanOrEqual(4)
    expect(await ask(made, filledRows, 'app', major)).toBe(filledAnswer)
    expect(await ask(made, 'select max(n) from late', 'postgres', major)).toBe('4')
    expect(await ask(made, 'create table own (n int); select pg_is_in_recovery()', 'postgres', major)).toBe(
      'f',
    )
    const settings = "select current_setting('archive_mode'), current_setting('cluster_name')"
    expect(await ask(made, settings, 'postgres', major)).toBe(`off|${made.name}`)
    expect(fingerprint(backup.directory)).toBe(before)
    expect(existsSync(join(made.directory, 'conf/recovery.conf'))).toBe(false)
    expect(strangers(made.directory)).toEqual([])
    expect((await pgbkIn(backup.root, ['instance', 'stop', made.name], { asRoot })).status).toBe(0)
  })

  it('makes one with tablespaces of its own, that can be backed up itself', async () => {
    const made = await restored(backup.root)
    const question = "select pg_tablespace_location(oid) from pg_tablespace where spcname in ('one', 'two')"
    const locations = await ask(made, question, 'postgres', major)
    for (const location of locations.split('\n'))
      expect(location.startsWith(join(made.directory, 'tablespaces/'))).toBe(true)
    const env = { PGHOST: made.socket_directory, PGPORT: String(made.port), PGUSER: 'focker' }
    const again = await aBackupOf({ ...server, env })
    expect(await verifies(again.snapshot, major)).toBe(true)
  })
})

/** What below a directory belongs to somebody else, or is open to others. */
function strangers(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => !/\.s\.PGSQL/.test(name))
    .filter((name) => {
      const found = lstatSync(join(directory, name))
      return found.uid !== ordinaryUser.uid || (!found.isSymbolicLink() && (found.mode & 0o077) !== 0)
    })
}

describe('restore', () => {
  let original: MadeBackup
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor })
    await server.sql('create database app')
    original = await aBackupOf(server)
    await writeSegments(server, 3)
    await archiveWal(server, original)
  })

  describe.each(forms)('of a %s backup', (form) => {
    let backup: MadeBackup
    beforeAll(async () => {
      backup = await inForm(form, original)
    })

    it('says first what it will do, and at the end how to connect, with a line that works', async () => {
      const { status, stdout, stderr } = await pgbkIn(backup.root, ['restore', '--name', 'staging'])
      expect(status).toBe(0)
      expect(stderr).toContain('Restoring:')
      for (const fact of [backup.record.id, '5 segments to replay', 'staging, port ', 'Data as of'])
        expect(stderr).toContain(fact)
      expect(stdout).toContain('Instance staging is running')
      expect(stdout).toContain('Nothing starts it after a reboot')
      const line = /^psql +(psql .*)$/m.exec(stdout)?.[1]
      const env = { PATH: `${binOf(anyMajor)}:/usr/bin:/bin` }
      const answer = await run(['sh', '-c', `${line} -XAtc 'select 6 * 7'`], { env })
      expect(answer.stdout).toBe('42')
    })

    it('says nothing of what is done when it is to be quiet', async () => {
      const { status, stdout, stderr } = await restore(backup.root, ['-q', '--no-start'])
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
    })

    it('with --dry-run prints the plan, and writes nothing', async () => {
      const place = join(backup.root, 'data/instances')
      const instances = () => existsSync(place) && readdirSync(place)
      const before = [fingerprint(backup.directory), instances()]
      const { status, stdout, stderr } = await restore(backup.root, ['--dry-run', '--name', 'dry'])
      expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringContaining('Restoring') })
      expect(stdout).toMatch(/^Backup +\d{8}T\d{6}Z, PostgreSQL /m)
      expect(stdout).toMatch(/^Instance +dry, port \d+$/m)
      const { plan } = JSON.parse((await restore(backup.root, ['--dry-run', '--json'])).stdout)
      expect(plan).toMatchObject({ backup: backup.record.id, start: true, wal: { segments: 5 } })
      expect([fingerprint(backup.directory), instances()]).toEqual(before)
    })

    it('with --no-start leaves it to instance start, which replays the WAL', async () => {
      const made = await restored(backup.root, ['--no-start', '--name', 'resting'])
      expect(made.state).toBe('not recovered')
      expect(serversIn(made.directory)).toEqual([])
      const refused = await pgbkIn(backup.root, ['delete', '--last', backup.record.id])
      expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('resting') })
      const started = await pgbkIn(backup.root, ['instance', 'start', 'resting'])
      expect(started).toMatchObject({ status: 0, stdout: expect.stringContaining('resting is running') })
      expect(await ask(made, 'select max(n) from late')).toBe('4')
    })

    it('refuses a name that is taken, before anything is copied', async () => {
      await restored(backup.root, ['--no-start', '--name', 'taken'])
      const error = await refusal(restore(backup.root, ['--json', '--name', 'taken']))
      expect(error).toMatchObject({ status: 2, code: 'usage' })
      expect(error.hint).toContain('pgbk instance delete taken -C')
    })

    it('takes the port that is wanted, and refuses one that is in use', async () => {
      const port = await aFreePort()
      const made = await restored(backup.root, ['--port', String(port)])
      expect(made.port).toBe(port)
      const taken = createServer()
      const other = await aFreePort()
      await new Promise<void>((resolve) => taken.listen(other, '127.0.0.1', resolve))
      const error = await refusal(restore(backup.root, ['--json', '--port', String(other)]))
      taken.close()
      expect(error).toMatchObject({ status: 1, message: `port ${other} is in use` })
    })

    it('without the unfinished segment goes to the end of the finished ones', async () => {
      const copy = await aCopyOf(backup)
      removeFrom(copy, /\.partial$/)
      const made = await restored(copy.root)
      expect(await ask(made, 'select max(n) from late')).toBe('3')
    })

    it('goes up to a missing segment, and says so', async () => {
      const copy = await aCopyOf(backup)
      const missing = removeFrom(copy, /^[0-9A-F]{24}$/, -1)
      const { status, stderr, stdout } = await restore(copy.root, ['--name', 'gap'])
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('gap is running') })
      expect(stderr).toContain(`nothing after it: ${missing}: it is missing`)
      const [made] = await instancesIn(copy.root)
      expect(await ask(made as never, 'select max(n) from late')).toBe('2')
    })

    it('refuses damaged WAL, naming the segment, and leaves nothing', async () => {
      const copy = await aCopyOf(backup)
      const names = readdirSync(join(copy.directory, 'wal'))
        .filter((name) => /^[0-9A-F]{24}$/.test(name))
        .sort()
      const damaged = names.at(-2) ?? ''
      const path = join(copy.directory, 'wal', damaged)
      writeFileSync(path, readFileSync(path).fill(0, 0, 8192))
      const error = await refusal(restore(copy.root, ['--json']))
      expect(error).toMatchObject({ status: 1, code: 'damaged', message: expect.stringContaining(damaged) })
      expect(await instancesIn(copy.root)).toEqual([])
    })

    it('of a standby, with segments of 64 MB and a tablespace in place, works too', async () => {
      const primary = await aServer({
        major: Math.max(...majors),
        initdb: ['--wal-segsize=64'],
        settings: { allow_in_place_tablespaces: 'on', min_wal_size: '128MB' },
      })
      await primary.sql("create tablespace inner_space location ''")
      await primary.sql('create table inside tablespace inner_space as select generate_series(1, 10) as n')
      const standby = await aStandbyOf(primary)
      const made = await aBackupIn(form, standby)
      const instance = await restored(made.root)
      expect(
        await ask(instance, 'select count(*) from inside; show wal_segment_size', 'postgres', primary.major),
      ).toBe('10\n64MB')
    })

    it('from a root with a strange path works', async () => {
      const root = join(await aRoot(), "it's 100% späti = %p\\x")
      await run(['cp', '-a', (await aCopyOf(backup)).root, root])
      const made = await restored(root)
      expect(await ask(made, 'select max(n) from late')).toBe('4')
    })

    it('refuses a backup that is only half there', async () => {
      const copy = await aCopyOf(backup)
      const lost = form === 'plain' ? 'data/global/pg_filenode.map' : 'snapshot.squashfs'
      rmSync(join(form === 'plain' ? copy.snapshot : copy.directory, lost))
      const error = await refusal(restore(copy.root, ['--json']))
      expect(error).toMatchObject({
        status: 1,
        code: 'damaged',
        message: expect.stringContaining(lost),
      })
      expect(await instancesIn(copy.root)).toEqual([])
    })

    it('refuses a major that is not installed, with the ways to get it', async () => {
      const twin = await aTwinOf(await aCopyOf(backup), '20300101T000000Z')
      const record = JSON.parse(readFileSync(join(twin.directory, 'backup.json'), 'utf8'))
      record.server.version_num = 120_022
      writeFileSync(join(twin.directory, 'backup.json'), JSON.stringify(record))
      const error = await refusal(restore(twin.root, ['--json', twin.record.id]))
      expect(error).toMatchObject({ status: 1, code: 'programs-missing' })
      expect(error.hint).toContain('apt-get install postgresql-12')
    })
  })

  // What follows is decided by the arguments and by the WAL, before and after the snapshot is read.

  it.each(['with space', '../up', '', '.hidden', 'x'.repeat(64)])('refuses the name %j', async (name) => {
    const error = await refusal(restore(original.root, ['--json', '--name', name]))
    expect(error).toMatchObject({ status: 2, code: 'usage' })
    expect(error.message).toContain('is not a valid name for an instance')
  })

  it('refuses WAL that makes a tablespace where this machine has one in use', async () => {
    const live = await aServer({ major: anyMajor })
    const made = await aBackupOf(live)
    const space = join(live.directory, 'space')
    await run(['mkdir', space])
    await live.sql(`create tablespace fresh location '${space}'`)
    await live.sql(
      'create table held tablespace fresh as select generate_series(1, 1000) as n; select pg_switch_wal()',
    )
    await archiveWal(live, made)
    const before = fingerprint(space)
    const error = await refusal(restore(made.root, ['--json']))
    expect(error).toMatchObject({ status: 1, code: 'failed' })
    expect(error.message).toContain(`creates a tablespace in ${space}, which is in use on this machine`)
    expect(fingerprint(space)).toBe(before)
    await live.stop()
    await run(['mv', space, `${space}.away`])
    expect((await refusal(restore(made.root, ['--json']))).hint).toContain(`install -d -m 700`)
    await run(['mkdir', space])
    const server = await restored(made.root)
    expect(await ask(server, 'select count(*) from held')).toBe('1000')
  })

  it('does not need the database or the role that it would connect with', async () => {
    const other = await aServer({ major: anyMajor })
    await other.sql('create database large')
    await other.sql('create table bulk as select generate_series(1, 50000) as n', 'large')
    const made = await aBackupOf(other)
    await other.sql('create role former superuser login; drop database large')
    const asFormer = (statement: string) => ask({ ...other, role: 'former' }, statement)
    await asFormer('alter role focker rename to gone')
    await archiveWal({ ...other, sql: asFormer }, made)
    const instance = await restored(made.root)
    expect(instance.state).toBe('running')
    expect(
      await ask({ ...instance, role: 'former' }, 'select count(*) from pg_database where not datistemplate'),
    ).toBe('1')
  })

  it('refuses what does not fit together', async () => {
    const bad = [
      ['--as-production'],
      ['--tablespace-mapping', '/a=/b'],
      ['-D', '/x', '--name', 'y'],
      ['--', 'true'],
    ]
    for (const args of bad) expect((await restore(original.root, args)).status).toBe(2)
  })

  it('of a used backup is refused', async () => {
    const copy = await aTwinOf(original, '20300101T000000Z')
    const snapshot = await openSnapshot(copy.snapshot, anyMajor)
    await snapshot.stop()
    const error = await refusal(restore(copy.root, ['--json', copy.record.id]))
    expect(error).toMatchObject({ status: 1, code: 'failed', message: expect.stringContaining('is used') })
  })
})

/** Removes segments from an archive: those that match, or only the one at this place among them. */
function removeFrom({ directory }: MadeBackup, pattern: RegExp, at?: number): string | undefined {
  const found = readdirSync(join(directory, 'wal'))
    .filter((name) => pattern.test(name))
    .sort()
  const chosen = at === undefined ? found : found.slice(at)
  for (const name of chosen) rmSync(join(directory, 'wal', name))
  return chosen[0]
}
