import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { aBackupIn, type Form, forms, formsOnMajors, inForms } from '../helpers/forms.js'
import { ifMounts } from '../helpers/needs.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, attempt, binOf, run } from '../helpers/programs.js'
import {
  archiveWal,
  ask,
  type Restored,
  refusal,
  restore,
  restored,
  writeSegments,
} from '../helpers/restore.js'
import { aServer, fill, filledAnswer, filledRows, type TestServer, verifies } from '../helpers/server.js'
import { serversIn } from '../helpers/servers-in.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { fingerprint } from '../helpers/tree.js'
import { ifRoot, ordinaryUser } from '../helpers/users.js'

/** A directory of the ordinary user's, for what is restored. */
function aPlace(): string {
  return aDirectory('pgbk-restored-')
}

/** Its socket is where the server's own configuration says. */
const inside = (server: TestServer, port: number) => ({ port, role: 'focker', socket: server.socket })

describe.each(formsOnMajors())('restore -D of a %s backup of PostgreSQL %i', (form, major) => {
  let server: TestServer
  let backup: MadeBackup
  beforeAll(async () => {
    server = await aServer({ major })
    await fill(server)
    backup = await aBackupIn(form, server)
    await writeSegments(server, 2)
    await archiveWal(server, backup)
    await server.stop()
  })

  it('fills a directory with the data and the configuration of the server, and starts it with --start', async () => {
    const place = aPlace()
    const data = join(place, 'main')
    const fast = join(place, 'fast=1')
    const location = backup.record.tablespaces.find(({ name }) => name === 'two')?.location ?? ''
    const mapping = `${location.replace('=', '\\=')}=${fast.replace('=', '\\=')}`
    const port = await aFreePort()
    const args = ['-D', data, '--tablespace-mapping', mapping, '--start', '--port', String(port)]
    const made = await restored(backup.root, args, { asRoot: true })
    expect(made).toMatchObject({ state: 'running', port, directory: data })
    const target = inside(server, port)
    expect(await ask(target, filledRows, 'app', major)).toBe(filledAnswer)
    expect(await ask(target, 'select max(n) from late', 'postgres', major)).toBe('3')
    expect(
      await ask(
        target,
        "select current_setting('cluster_name'), current_setting('archive_mode')",
        'postgres',
        major,
      ),
    ).toBe('testing|off')
    expect(
      await ask(
        target,
        "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'two'",
        'postgres',
        major,
      ),
    ).toBe(fast)
    expect(existsSync(join(server.directory, 'archived'))).toBe(false)
    expect(readFileSync(join(data, 'postgresql.auto.conf'), 'utf8')).not.toContain('recovery_target')
    const { uid, gid, mode } = statSync(data)
    expect({ uid, gid, mode: mode & 0o7777 }).toEqual({
      uid: ordinaryUser.uid,
      gid: ordinaryUser.gid,
      mode: 0o700,
    })
    await canBeBackedUp(target)
    await run([`${binOf(major)}/pg_ctl`, '-D', data, '-m', 'fast', '-w', 'stop'])
  })

  /** By pgbk, and by pg_basebackup. */
  async function canBeBackedUp({ port, socket }: { port: number; socket: string }): Promise<void> {
    const env = { PGHOST: socket, PGPORT: String(port), PGUSER: 'focker' }
    const made = await aBackupOf({ ...server, env })
    expect(await verifies(made.snapshot, major)).toBe(true)
    const tar = join(aDirectory(), 'tar')
    const connect = ['-h', socket, '-p', String(port), '-U', 'focker']
    await run([`${binOf(major)}/pg_basebackup`, '-D', tar, '-Ft', '-c', 'fast', ...connect])
  }
})

describe('restore -D', () => {
  let server: TestServer
  let backups: Record<Form, MadeBackup>
  beforeAll(async () => {
    server = await aServer({
      major: anyMajor,
      settings: { synchronous_standby_names: 'nobody', synchronous_commit: 'local' },
    })
    await fill(server)
    const backup = await aBackupOf(server)
    await writeSegments(server, 2)
    await archiveWal(server, backup)
    await server.stop()
    backups = await inForms(backup)
  })

  /** Starts a restored directory as its owner would. */
  async function start(data: string, port: number): Promise<void> {
    const log = join(data, '../log')
    const { status } = await attempt(
      [`${binOf(anyMajor)}/pg_ctl`, '-D', data, '-l', log, '-w', '-o', `-p ${port}`, 'start'],
      { stdout: 'ignore', stderr: 'ignore' },
    )
    if (status !== 0) throw new Error(`it does not start:\n${readFileSync(log, 'utf8')}`)
  }

  describe.each(forms)('from a %s backup', (form) => {
    it('does not start it by itself, and says with which commands to go on, which work', async () => {
      const data = join(aPlace(), "it's main")
      const { status, stdout } = await restore(backups[form].root, ['-D', data])
      expect(status).toBe(0)
      expect(stdout).toContain('It is not started yet.')
      expect(stdout).toContain(`replays WAL from ${join(backups[form].directory, 'wal')}, which must stay`)
      expect(serversIn(data)).toEqual([])
      const auto = join(data, 'postgresql.auto.conf')
      expect(readFileSync(auto, 'utf8')).toMatch(
        /^archive_mode = 'on'$[\s\S]*^# pgbk restore: begin[\s\S]*^archive_mode = 'off'$/m,
      )
      const port = await aFreePort()
      await start(data, port)
      const target = inside(server, port)
      expect(await ask(target, 'select max(n) from late')).toBe('3')
      expect(await ask(target, 'show synchronous_standby_names')).toBe('')
      for (const [, line = ''] of stdout.matchAll(/^ +(sed -i .*)$/gm)) await run(['sh', '-c', line])
      const left = readFileSync(auto, 'utf8')
      expect(left).not.toContain('# pgbk')
      expect(left).toContain("archive_command = 'echo touched")
      expect(left).not.toContain('recovery_target')
      await run([`${binOf(anyMajor)}/pg_ctl`, '-D', data, '-m', 'fast', '-w', 'stop'])
      await start(data, port)
      expect(await ask(target, 'show archive_mode')).toBe('on')
      await run([`${binOf(anyMajor)}/pg_ctl`, '-D', data, '-m', 'immediate', '-w', 'stop'])
    })

    it('with --as-production leaves nothing out', async () => {
      const data = join(aPlace(), 'main')
      const { stdout, stderr } = await restore(backups[form].root, ['-D', data, '--as-production'])
      expect(stderr).toContain('nothing: --as-production')
      expect(stdout).not.toContain('Switched off')
      expect(readFileSync(join(data, 'postgresql.auto.conf'), 'utf8')).not.toContain('# pgbk restore')
      expect(readFileSync(join(data, 'postgresql.auto.conf'), 'utf8')).toContain("archive_mode = 'on'")
    })

    it('puts tablespaces without a mapping into the directory', async () => {
      const data = join(aPlace(), 'main')
      await restored(backups[form].root, ['-D', data])
      const oids = backups[form].record.tablespaces.map(({ oid }) => String(oid)).sort()
      expect(readdirSync(join(data, 'tablespaces')).sort()).toEqual(oids)
    })

    it('with --dry-run prints what will be switched off, and writes nothing', async () => {
      const place = aPlace()
      const before = fingerprint(place)
      const { status, stdout } = await restore(backups[form].root, ['-D', join(place, 'main'), '--dry-run'])
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('archive_mode') })
      expect(fingerprint(place)).toBe(before)
    })

    it('takes an empty directory, and one that a link leads to', async () => {
      const place = aPlace()
      await run(['mkdir', join(place, 'real')])
      symlinkSync(join(place, 'real'), join(place, 'link'))
      const made = await restored(backups[form].root, ['-D', join(place, 'link')])
      expect(made.directory).toBe(join(place, 'real'))
      expect(readdirSync(join(place, 'real'))).toContain('PG_VERSION')
    })

    describe('by root, into an empty directory of another user', () => {
      /** In a place of root's, with the mode of a data directory. Its user cannot see the backup, and the backup's not what is in it. */
      const ofNobody = async (parent = 0) => {
        const place = aPlace()
        const data = join(place, 'main')
        mkdirSync(data, { mode: 0o700 })
        const { execaSync } = await import('execa')
        execaSync('chown', ['nobody', data])
        chmodSync(place, 0o755)
        execaSync('chown', [String(parent), place])
        return data
      }

      ifRoot('leaves all of it to that user, with the WAL', async () => {
        const data = await ofNobody()
        const port = await aFreePort()
        const made = await restored(backups[form].root, ['-D', data, '--port', String(port)], {
          asRoot: true,
        })
        const { uid } = statSync(data)
        expect(uid).not.toBe(ordinaryUser.uid)
        expect(made.notes.join()).toContain('pgbk-wal')
        const others = readdirSync(data, { recursive: true })
          .map(String)
          .filter((name) => lstatSync(join(data, name)).uid !== uid)
        expect(others).toEqual([])
        expect(readdirSync(data)).toEqual(expect.arrayContaining(['recovery.signal', 'pgbk-wal', 'global']))
        expect(readdirSync(data)).not.toContain('.pgbk-received')
      })

      ifRoot('prints the plan of a dry run, and writes nothing', async () => {
        const data = await ofNobody()
        const { status, stdout } = await restore(backups[form].root, ['-D', data, '--dry-run'], {
          asRoot: true,
        })
        expect(status).toBe(0)
        expect(stdout).toContain(data)
        expect(readdirSync(data)).toEqual([])
      })

      ifRoot('tells once, and as that user, that it is not empty', async () => {
        const data = await ofNobody()
        writeFileSync(join(data, 'theirs'), '')
        const args = ['-D', data, '--json']
        const { status, stdout } = await restore(backups[form].root, args, { asRoot: true })
        expect({ status, error: JSON.parse(stdout).error.message }).toEqual({
          status: 2,
          error: `${data} is not empty`,
        })
        expect(readdirSync(data)).toEqual(['theirs'])
      })

      ifRoot('tells once that there is no such backup, and leaves it empty', async () => {
        const data = await ofNobody()
        const args = ['20010101T000000Z', '-D', data, '--json']
        const { status, stdout } = await restore(backups[form].root, args, { asRoot: true })
        expect({ status, code: JSON.parse(stdout).error.code }).toEqual({ status: 3, code: 'not-found' })
        expect(readdirSync(data)).toEqual([])
      })

      ifRoot('is refused where somebody else could put another directory in its place', async () => {
        const data = await ofNobody(ordinaryUser.uid)
        const { status, stderr } = await restore(backups[form].root, ['-D', data], { asRoot: true })
        expect(status).toBe(2)
        expect(stderr).toContain(`on the way to ${data}, belongs to another user (uid ${ordinaryUser.uid})`)
        expect(readdirSync(data)).toEqual([])
      })
    })
  })

  it('keeps what the configuration has in another encoding, and a path outside of ASCII', async () => {
    const place = aPlace()
    const root = join(place, 'Übung')
    await run(['cp', '-a', backups.plain.root, root])
    const auto = join(
      root,
      'data/backup',
      backups.plain.record.id,
      'snapshot/conf/original/postgresql.auto.conf',
    )
    appendFileSync(auto, Buffer.from("app.name = 'K\u00e4se'\n", 'latin1'))
    const data = join(place, 'Dürer')
    const port = await aFreePort()
    await restored(root, ['-D', data, '--start', '--port', String(port)])
    expect(await ask(inside(server, port), 'select max(n) from late')).toBe('3')
    expect(
      readFileSync(join(data, 'postgresql.auto.conf')).includes(Buffer.from('K\u00e4se', 'latin1')),
    ).toBe(true)
  })

  describe('refuses', () => {
    const refused = (args: string[], options = {}) =>
      refusal(restore(backups.plain.root, ['--json', ...args], options))

    it.each([
      ['a directory with a file in it', (data: string) => writeFileSync(join(data, 'mine'), 'precious')],
      ["another cluster's directory", (data: string) => writeFileSync(join(data, 'PG_VERSION'), '15')],
    ])('%s', async (_, spoil) => {
      const data = aPlace()
      spoil(data)
      const before = fingerprint(data)
      const error = await refused(['-D', data])
      expect(error).toMatchObject({ status: 2, code: 'usage', message: `${data} is not empty` })
      expect(fingerprint(data)).toBe(before)
    })

    it('a directory with a running server', async () => {
      const other = await aServer({ major: anyMajor })
      const error = await refused(['-D', other.data])
      expect(error).toMatchObject({ status: 1, code: 'failed' })
      expect(error.message).toContain('a server is running in')
      expect(await other.sql('select 1')).toBe('1')
    })

    it('a tablespace place that is in use, and keeps all of it', async () => {
      const place = aPlace()
      const [data, fast] = [join(place, 'main'), join(place, 'fast')]
      await run(['mkdir', fast])
      writeFileSync(join(fast, 'mine'), 'precious')
      const location = backups.plain.record.tablespaces[0]?.location
      const error = await refused(['-D', data, '--tablespace-mapping', `${location}=${fast}`])
      expect(error).toMatchObject({ status: 2, message: `${fast} is not empty` })
      expect(readdirSync(fast)).toEqual(['mine'])
      expect(existsSync(data)).toBe(false)
    })

    it('places inside of each other', async () => {
      const place = aPlace()
      const location = backups.plain.record.tablespaces[0]?.location
      for (const fast of [place, join(place, 'main'), join(place, 'main/base')]) {
        const error = await refused([
          '-D',
          join(place, 'main'),
          '--tablespace-mapping',
          `${location}=${fast}`,
        ])
        expect(error).toMatchObject({ status: 2, code: 'usage' })
      }
      expect(readdirSync(place)).toEqual([])
    })

    it('a place that pgbk keeps for itself, also by a link', async () => {
      const link = join(aPlace(), 'link')
      symlinkSync(join(backups.plain.root, 'data'), link)
      for (const data of [join(backups.plain.root, 'data/instances/x'), join(link, 'backup/new')]) {
        const error = await refused(['-D', data])
        expect(error).toMatchObject({
          status: 2,
          code: 'usage',
          message: expect.stringContaining('where pgbk keeps its own'),
        })
      }
    })

    it('what is no directory: a file, no name, one whose parent is not there', async () => {
      const place = aPlace()
      writeFileSync(join(place, 'file'), '')
      expect((await refused(['-D', join(place, 'file')])).message).toContain('is not a directory')
      expect((await refused(['-D', ''], { cwd: place })).message).toContain('names no directory')
      const missing = await refused(['-D', join(place, 'not/there')])
      expect(missing.hint).toContain(`mkdir -p ${join(place, 'not')}`)
      expect(readdirSync(place)).toEqual(['file'])
    })

    it.each(['/a', 'a=b', '=', '/no/such=/b'])('the tablespace mapping %j', async (mapping) => {
      const error = await refused(['-D', join(aPlace(), 'main'), '--tablespace-mapping', mapping])
      expect(error).toMatchObject({ status: 2, code: 'usage' })
    })

    ifRoot('a directory of another user, for an ordinary one', async () => {
      const data = aDirectory()
      await run(['chmod', '755', data])
      const { execaSync } = await import('execa')
      execaSync('chown', ['nobody', data])
      expect((await refused(['-D', data])).message).toContain('belongs to another user')
    })

    ifMounts('too little disk, before it writes', async () => {
      const disk = aSmallDisk(30)
      const error = await refused(['-D', join(disk, 'main')])
      expect(error).toMatchObject({ status: 1, code: 'disk-full' })
      expect(error.message).toMatch(/needs [\d.]+ MB, and [\d.]+ MB are free in /)
      expect(readdirSync(disk)).toEqual([])
    })
  })

  ifRoot('by root writes nothing through links that the owner of the backup has put into it', async () => {
    const place = aPlace()
    const root = join(place, 'root')
    await run(['cp', '-a', backups.plain.root, root])
    const victim = join(place, 'victim')
    writeFileSync(victim, 'precious')
    const snapshot = join(root, 'data/backup', backups.plain.record.id, 'snapshot')
    await run(['rm', join(snapshot, 'data/pg_hba.conf')])
    await run(['ln', '-s', victim, join(snapshot, 'data/pg_hba.conf')])
    await restore(root, ['-D', join(place, 'main')], { asRoot: true })
    expect(readFileSync(victim, 'utf8')).toBe('precious')
  })
})

describe("a server whose configuration is elsewhere, in Debian's way", () => {
  it('comes back with it: included files, hba file, no path of the server', async () => {
    const server = await aServer({ major: anyMajor })
    const conf = join(server.directory, 'etc')
    await run(['mkdir', '-p', join(conf, 'conf.d'), join(conf, 'empty.d'), join(server.directory, 'shared')])
    await run(['cp', join(server.data, 'postgresql.conf'), join(server.data, 'pg_ident.conf'), conf])
    await run(['cp', join(server.data, 'pg_hba.conf'), join(conf, 'own_hba.conf')])
    await run(['cp', join(server.data, 'pg_hba.conf'), join(conf, 'pg_hba.conf')])
    const write = async (path: string, text: string) =>
      run(['sh', '-c', 'cat >>"$0"', path], { input: text, stdin: undefined })
    await write(join(conf, 'own_hba.conf'), '# our own rules\n')
    await write(join(conf, 'conf.d/mine.conf'), "work_mem = '7MB'\n")
    await write(join(server.directory, 'shared/all.conf'), "maintenance_work_mem = '77MB'\n")
    await write(
      join(conf, 'postgresql.conf'),
      `data_directory = '${server.data}'\nhba_file = '${join(conf, 'own_hba.conf')}'\nident_file = '${join(conf, 'pg_ident.conf')}'
external_pid_file = '${server.directory}/pid'\ninclude_dir = 'conf.d'\ninclude_dir 'empty.d'\ninclude '${server.directory}/shared/all.conf'
include_if_exists = 'not-there.conf'\n`,
    )
    await server.stop()
    await run([`${server.bin}/pg_ctl`, '-D', conf, '-l', server.log, '-w', 'start'], {
      stdout: 'ignore',
      stderr: 'ignore',
    })
    const backup = await aBackupOf(server)
    await run([`${server.bin}/pg_ctl`, '-D', conf, '-m', 'fast', '-w', 'stop'])
    await run(['mv', conf, `${conf}.away`])
    const data = join(aPlace(), 'main')
    const port = await aFreePort()
    const made: Restored = await restored(backup.root, ['-D', data, '--start', '--port', String(port)])
    const settings =
      "select current_setting('work_mem'), current_setting('maintenance_work_mem'), current_setting('hba_file'), current_setting('data_directory')"
    expect(await ask(inside(server, port), settings)).toBe(`7MB|77MB|${data}/pg_hba.conf|${data}`)
    expect(readFileSync(join(data, 'pg_hba.conf'), 'utf8')).toContain('# our own rules')
    // An empty directory is none that is missing.
    expect(made.notes).toEqual([])
    expect(existsSync(join(server.directory, 'pid'))).toBe(false)
  })

  it('tells what the server will not start without here: certificates and libraries', async () => {
    const server = await aServer({ major: anyMajor })
    const backup = await aBackupOf(server)
    await server.stop()
    const original = join(backup.snapshot, 'conf/original/postgresql.conf')
    const lines =
      "ssl = on\nssl_cert_file = '/nowhere/server.crt'\nshared_preload_libraries = 'auto_explain, nosuch'\n"
    await run(['sh', '-c', 'cat >>"$0"', original], { input: lines, stdin: undefined })
    const data = join(aPlace(), 'main')
    const { notes }: Restored = await restored(backup.root, ['-D', data])
    expect(notes).toEqual([
      'ssl is on, and ssl_cert_file = /nowhere/server.crt is not here: the server does not start without it',
      'ssl is on, and ssl_key_file = server.key is not here: the server does not start without it',
      'shared_preload_libraries has nosuch, which is not installed here: the server does not start without it',
    ])
    await run(['sh', '-c', 'echo wrong_setting = 1 >>"$0"', original])
    const place = join(aPlace(), 'main')
    const started = await restore(backup.root, ['-D', place, '--start'])
    expect(started.status).toBe(1)
    expect(started.stderr).toMatch(
      /would not start on this machine: its configuration is not understood here.*wrong_setting.*\nNothing was written\./,
    )
    expect(existsSync(place)).toBe(false)
  })
})
