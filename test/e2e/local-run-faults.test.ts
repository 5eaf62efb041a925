import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { aBackupOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { eachUserAndForm, type Form, forms, inForms } from '../helpers/forms.js'
import { aReadyRun, cache, failureOf, localRun, nothing, remainsOf, users } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { aPortThatHangsUp } from '../helpers/proxy.js'
import { aServer, fill, openSnapshot } from '../helpers/server.js'

const env = { HOME: cache, XDG_CACHE_HOME: cache }

let backups: Record<Form, MadeBackup>
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  await fill(server)
  backups = await inForms(await aBackupOf(server))
})

describe.each(forms)('local-run of a %s backup refuses, and starts nothing,', (form) => {
  it('a port that is in use', async () => {
    const { port } = await aPortThatHangsUp()
    const { status, message } = await failureOf(backups[form].root, ['--port', String(port)])
    expect({ status, message }).toEqual({ status: 1, message: `port ${port} is in use` })
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('a database that the backup does not have', async () => {
    const { status, message } = await failureOf(backups[form].root, ['--dbname', 'nope'])
    expect({ status, message }).toEqual({ status: 1, message: expect.stringContaining('"nope"') })
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it.each(['work_mem', '=1', 'work mem=1'])('the setting %j, which is none', async (setting) => {
    const { status, message } = await failureOf(backups[form].root, ['-c', setting])
    expect({ status, message }).toEqual({ status: 2, message: `"${setting}" is not a setting` })
  })

  it.each(['port=5433', 'PORT=5433'])(
    '%s as a setting: pgbk would wait at another socket',
    async (setting) => {
      const { status, message, hint } = await failureOf(backups[form].root, ['-c', setting])
      expect({ status, message }).toEqual({ status: 2, message: 'the port is not a setting of a run' })
      expect(hint).toContain('--port PORT')
      expect(remainsOf(backups[form].root)).toEqual(nothing)
    },
  )

  it('SQL that is not there', async () => {
    const { status, message } = await failureOf(backups[form].root, ['--sql', 'not-there.sql'], {
      cwd: '/tmp',
    })
    expect({ status, message }).toEqual({ status: 2, message: expect.stringContaining('/tmp/not-there.sql') })
  })

  it('--json with a COMMAND, whose standard output it is', async () => {
    const { status, stdout } = await localRun(backups[form].root, ['--json', '--', 'echo', 'it runs'])
    expect({ status, code: JSON.parse(stdout).error.code }).toEqual({ status: 2, code: 'usage' })
  })
})

describe.each(forms)('a server of a %s backup that cannot start', (form) => {
  it.each([
    ['shared_buffers=999TB', 'invalid value for parameter "shared_buffers": "999TB"'],
    ['no_such_setting=1', 'unrecognized configuration parameter "no_such_setting"'],
    ['max_connections=1', 'superuser_reserved_connections'],
  ])('because of -c %s is explained by the end of its log, and leaves nothing', async (setting, reason) => {
    const { status, message, hint } = await failureOf(backups[form].root, ['-c', setting])
    expect({ status, message }).toEqual({ status: 1, message: 'the server did not start' })
    expect(hint).toContain('The last lines of its log:')
    expect(hint).toContain(reason)
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })
})

/** Where there is no unshare to be called, the test has no foot in the door; that of a packed backup is called for its image first. */
const { describe: withOverlay } = needs('user namespaces')

withOverlay('a port that another program takes between its choice and the start of the server', () => {
  const takePort = `
    use IO::Socket::INET;
    $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $ARGV[0]) or die $@;
    exit if fork;
    open $pid, '>', "$ARGV[1]/pid"; print $pid $$; close $pid;
    chdir "/"; open STDIN, '</dev/null'; open STDOUT, '>/dev/null'; open STDERR, '>/dev/null';
    sleep 60`

  /** In a sandbox pgbk itself holds the port from its choice on. */
  const open = ['--sandbox', 'off']

  /** A directory for PATH with an unshare that takes the server's port first, once or each time. */
  function takingPorts(times: 'once' | 'each time'): string {
    const bin = aDirectory()
    const script = `#!/bin/sh
      if [ '${times}' != once ] || mkdir ${bin}/done; then
        [ ! -e ${bin}/pid ] || kill $(cat ${bin}/pid)
        for word; do
          case $last:$word in -p:[0-9]*) perl -e '${takePort.replaceAll("'", '"')}' $word ${bin} ;; esac
          last=$word
        done
      fi 2>/dev/null
      exec /usr/bin/unshare "$@"`
    writeFileSync(join(bin, 'unshare'), script, { mode: 0o755 })
    atEnd(() => void process.kill(Number(readFileSync(join(bin, 'pid'), 'utf8'))))
    return `${bin}:/usr/local/bin:/usr/bin:/bin`
  }

  it('is left to it: the run takes another one', async () => {
    const PATH = takingPorts('once')
    const { status, stdout, stderr } = await localRun(
      backups.plain.root,
      [...open, '--', 'psql', '-XAtc', 'select 1'],
      {
        env: { PATH },
      },
    )
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: '1' })
    expect(stderr).toMatch(/^port \d+ was taken while the server started; trying another one$/m)
    expect(remainsOf(backups.plain.root)).toEqual(nothing)
  })

  it('again and again, ends the run with the words of the server', async () => {
    const { status, message, hint } = await failureOf(backups.plain.root, open, {
      env: { PATH: takingPorts('each time') },
    })
    expect({ status, message }).toEqual({ status: 1, message: 'the server did not start' })
    expect(hint).toContain('Address already in use')
    expect(remainsOf(backups.plain.root)).toEqual(nothing)
  })
})

describe.each(forms)('the SQL of a run of a %s backup', (form) => {
  it('that fails ends it with what the server says, and COMMAND is not started', async () => {
    const sql = await aFile(join(aDirectory(), 'mask.sql'), 'update ledger set at = null; select 1/0;')
    const { status, stdout, stderr } = await localRun(backups[form].root, [
      '--sql',
      sql,
      '--',
      'echo',
      'it runs',
    ])
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain('division by zero')
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })
})

describe.each(forms)('with a %s backup, COMMAND', (form) => {
  it.each([
    ['no-such-program', 127, 'no-such-program: command not found'],
    ['/etc/passwd', 126, '/etc/passwd cannot be run'],
  ])('%s has exit status %i and is named', async (command, status, said) => {
    const ended = await localRun(backups[form].root, ['--quiet', '--', command])
    expect(ended.status).toBe(status)
    expect(ended.stderr).toContain(`pgbk: ${said}`)
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('that ends with 127 itself is not called missing', async () => {
    const { status, stderr } = await localRun(backups[form].root, ['-q', '--', 'sh', '-c', 'exit 127'])
    expect({ status, stderr }).toEqual({ status: 127, stderr: '' })
  })

  it.each([
    ['KILL', 137],
    ['SEGV', 139],
    ['USR1', 138],
  ])('that ends by SIG%s has the exit status that a shell gives it', async (signal, status) => {
    expect((await localRun(backups[form].root, ['--', 'sh', '-c', `kill -${signal} $$`])).status).toBe(status)
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })
})

eachUserAndForm('the %f backup of a run that %s has started', (user, form) => {
  it.each(users)('is not deleted by %s', async (other) => {
    const ready = await aReadyRun(backups[form].root, [], { asRoot: user === 'root' })
    const deletion = ['delete', '-C', backups[form].root, '--last', backups[form].record.id]
    const { status, stderr } = await runPgbk(deletion, { env, asRoot: other === 'root' })
    expect(status).toBe(1)
    expect(stderr).toContain(`in use by the run ${ready.name}`)
    expect(await ready.sql('select count(*) from ledger')).toBe('1000')
    expect(await ready.stop()).toBe(0)
  })
})

describe('a used snapshot', () => {
  const id = '20990101T000000Z'
  beforeAll(async () => {
    const { snapshot } = await aTwinOf(backups.plain, id)
    const opened = await openSnapshot(snapshot, anyMajor)
    await opened.sql('delete from ledger where id > 7', 'app')
    await opened.stop()
  })
  const count = ['--dbname', 'app', '--', 'psql', '-XAtc', 'select count(*) from ledger']

  it('runs, and is said to be used', async () => {
    const { status, stdout, stderr } = await localRun(backups.plain.root, [id, ...count])
    expect({ status, stdout }).toEqual({ status: 0, stdout: '7' })
    expect(stderr).toContain(`a server was started inside the snapshot of ${id}`)
  })

  it('is not the latest', async () => {
    const { status, stdout, stderr } = await localRun(backups.plain.root, ['latest', ...count])
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1000' })
    expect(stderr).toContain(`latest skips ${id}: its state is used`)
  })
})

describe('a backup that is half there is refused: ', () => {
  const id = '20250101T000000Z'
  let twin: MadeBackup
  beforeEach(async () => {
    rmSync(join(backups.plain.root, 'data/backup', id), { recursive: true, force: true })
    twin = await aTwinOf(backups.plain, id)
  })

  const inTablespace = () =>
    readdirSync(join(twin.snapshot, 'tablespaces'), { recursive: true, withFileTypes: true }).find(
      (entry) => entry.isFile() && /^\d+$/.test(entry.name),
    )
  const remove = (path: string) => () => rmSync(join(twin.snapshot, path))
  const faults: [string, () => void, RegExp][] = [
    ['a data file is missing', remove('data/global/1262'), /data\/global\/1262 is missing/],
    [
      'a data file is short',
      () => truncateSync(join(twin.snapshot, 'data/global/1262'), 4096),
      /1262 has 4096 bytes instead of 8192/,
    ],
    [
      'a data file is long',
      () => writeFileSync(join(twin.snapshot, 'data/PG_VERSION'), '15\n\n'),
      /PG_VERSION has 4 bytes instead of 3/,
    ],
    ['the manifest is missing', remove('data/backup_manifest'), /backup_manifest is missing/],
    ['its configuration is missing', remove('conf/postgresql.conf'), /conf\/postgresql\.conf is missing/],
    ['its pg_hba.conf is missing', remove('conf/pg_hba.conf'), /conf\/pg_hba\.conf is missing/],
    [
      'a tablespace is missing',
      () => rmSync(join(twin.snapshot, 'tablespaces'), { recursive: true }),
      /data\/pg_tblspc\/\d+\/.* is missing/,
    ],
    [
      'a file of a tablespace is missing',
      () => {
        const file = inTablespace()
        rmSync(join(file?.parentPath ?? '', file?.name ?? ''))
      },
      /data\/pg_tblspc\/\d+\/.* is missing/,
    ],
  ]
  it.each(faults)('%s', async (_, spoil, named) => {
    spoil()
    const { status, code, message, hint } = await failureOf(backups.plain.root, [id])
    expect({ status, code, message }).toEqual({
      status: 1,
      code: 'damaged',
      message: expect.stringMatching(named),
    })
    expect(message).toContain(id)
    expect(hint).toContain('Copy or download it again')
    expect(remainsOf(backups.plain.root)).toEqual(nothing)
  })

  it('its WAL is missing, which the log tells, and nothing is left', async () => {
    const wal = join(twin.snapshot, 'data/pg_wal')
    for (const name of readdirSync(wal)) rmSync(join(wal, name), { recursive: true })
    const { status, message, hint } = await failureOf(backups.plain.root, [id])
    expect({ status, message }).toEqual({ status: 1, message: 'the server did not start' })
    expect(hint).toMatch(/could not (open file "pg_wal|locate (a valid|required) checkpoint record)/)
    expect(remainsOf(backups.plain.root)).toEqual(nothing)
  })
})
