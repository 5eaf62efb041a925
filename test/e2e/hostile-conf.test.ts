import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { copyOf, download } from '../helpers/download.js'
import { failureOf, localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, oldestAndNewest, run } from '../helpers/programs.js'
import { ask, refusal, restore, restored } from '../helpers/restore.js'
import { aRoot, aServer, openSnapshot, type TestServer } from '../helpers/server.js'

/** The same backup in a root of its own, for somebody to spoil. */
async function aCopy(original: MadeBackup): Promise<MadeBackup> {
  const root = await aRoot()
  await run(['cp', '-a', join(original.root, 'data'), root])
  const directory = join(root, 'data/backup', original.record.id)
  return { ...original, root, directory, snapshot: join(directory, 'snapshot') }
}

/** As somebody does it who has made the record too. */
async function spoil({ directory, record }: MadeBackup, script: string, changes: object = {}): Promise<void> {
  await run(['sh', '-ec', `C=conf/postgresql.conf; ${script}`], { cwd: join(directory, 'snapshot') })
  const { own_files: _known, ...rest } = record
  await writeFile(join(directory, 'backup.json'), JSON.stringify({ ...rest, ...changes }))
}

/** What a hostile text writes when something of it is run. */
const aTrap = () => join(aDirectory(), 'sprung')

describe.each(oldestAndNewest)('a hostile configuration in a backup of PostgreSQL %i', (major) => {
  let original: MadeBackup
  let backup: MadeBackup
  let trap: string
  beforeAll(async () => {
    const server = await aServer({ major })
    await server.sql('create table t as select 1 as n')
    original = await aBackupOf(server)
    await server.stop()
  })
  beforeEach(async () => {
    trap = aTrap()
    backup = await aCopy(original)
    await spoil(
      backup,
      `printf '%s\\n' "archive_mode = on" "archive_command = 'touch ${trap}'" archive_timeout=1 >>$C`,
    )
  })
  const told = /conf\/postgresql\.conf: line \d+: archive_mode is not off.* archive_command is not empty/

  it('is not downloaded', async () => {
    const to = await aRoot()
    const { status, error } = await download(backup.root, to)
    expect({ status, error }).toMatchObject({
      status: 1,
      error: { code: 'damaged', message: expect.stringMatching(told) },
    })
    expect(existsSync(copyOf(backup, to))).toBe(false)
  })

  it('is neither run nor restored nor proven, and verify tells of it', async () => {
    const run = await failureOf(backup.root, [])
    expect(run).toMatchObject({ code: 'damaged', message: expect.stringMatching(told) })
    const made = await refusal(restore(backup.root, ['--name', 'x', '--json']))
    expect(made).toMatchObject({ code: 'damaged', message: expect.stringMatching(told) })
    const { status, stdout } = await runPgbk(['verify', '--prove', '--json', '-C', backup.root])
    expect(status).toBe(6)
    expect(JSON.stringify(JSON.parse(stdout).checks[0].faults)).toContain('archive_command is not empty')
    expect(existsSync(trap)).toBe(false)
  })

  it('does nothing where somebody has worked in the snapshot, with ALTER SYSTEM too', async () => {
    const used = await aCopy(original)
    const open = await openSnapshot(used.snapshot, major)
    await open.sql("alter system set work_mem = '77MB'")
    await open.stop()
    const lines = ['archive_mode = on', `archive_command = 'touch ${trap}'`, 'archive_timeout = 1']
    const more = ["session_preload_libraries = '/tmp/evil'", `external_pid_file = '${trap}'`, 'ssl = on']
    const text = [...lines, ...more].map((line) => `"${line}"`).join(' ')
    await spoil(used, `printf '%s\\n' ${text} >>data/postgresql.auto.conf`)
    const question =
      "select current_setting('archive_mode'), current_setting('work_mem'), pg_switch_wal() is null, count(*) from t"
    const words = [used.record.id, '--dbname', 'postgres', '--', 'psql', '-XAtc', question]
    const { status, stdout, stderr } = await localRun(used.root, words)
    expect({ status, stdout, stderr: '' }).toEqual({ status: 0, stdout: 'off|4MB|f|1', stderr: '' })
    expect(stderr).toContain('a server was started inside the snapshot')
    expect(existsSync(trap)).toBe(false)
  })
})

describe('a configuration that pgbk has not written', () => {
  let server: TestServer
  let original: MadeBackup
  let backup: MadeBackup
  let trap: string
  beforeAll(async () => {
    server = await aServer({ major: anyMajor, settings: { 'app.tenant': 'acme', 'plperl.on_init': 'evil' } })
    original = await aBackupOf(server)
  })
  beforeEach(async () => {
    trap = aTrap()
    backup = await aCopy(original)
  })

  it.each([
    [
      'restore_command with a recovery.signal',
      'touch data/recovery.signal; echo "restore_command = \'touch $T\'" >>$C',
      /restore_command is not the command.*recovery\.signal/s,
    ],
    ['a library', 'echo "shared_preload_libraries = \'$T\'" >>$C', /shared_preload_libraries is not empty/],
    [
      'a command for a passphrase',
      'echo ssl=on >>$C; echo "ssl_passphrase_command = \'touch $T\'" >>$C',
      /ssl_passphrase_command does not/,
    ],
    ['an include', 'echo "include \'$T\'" >>$C', /it includes another file/],
    [
      'a log elsewhere',
      'echo logging_collector=on >>$C; echo "log_directory = \'$T\'" >>$C',
      /log_directory does not belong/,
    ],
    [
      'a file for its process id',
      'echo "external_pid_file = \'$T\'" >>$C',
      /external_pid_file does not belong/,
    ],
    [
      'a socket for all',
      'sed -i "s/^unix_socket_permissions.*/unix_socket_permissions = 0777/" $C',
      /unix_socket_permissions is not 0700/,
    ],
    [
      'an open door',
      'echo "host all all 0.0.0.0/0 trust" >>conf/pg_hba.conf',
      /pg_hba\.conf: line 6 is not as pgbk writes it/,
    ],
    [
      'ALTER SYSTEM',
      'echo "session_preload_libraries = \'$T\'" >data/postgresql.auto.conf',
      /auto\.conf: it is not empty/,
    ],
    ['a link', 'ln -sf /etc/passwd conf/original/pg_hba.conf', /original\/pg_hba\.conf: it is not a file/],
    ['a pipe', 'rm $C; mkfifo $C', /is no ordinary file|it is not a file/],
  ])('is not started: %s', async (_what, script, told) => {
    await spoil(backup, `T=${trap}; ${script}`)
    expect(await failureOf(backup.root, [])).toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(told),
    })
    const restoring = await refusal(restore(backup.root, ['--json', '-D', join(aDirectory(), 'main')]))
    expect(restoring).toMatchObject({ code: 'damaged', message: expect.stringMatching(told) })
    expect(existsSync(trap)).toBe(false)
  })

  it('gives values only: those of the applications, and none that makes a library run something', async () => {
    const question = "select current_setting('app.tenant'), current_setting('plperl.on_init', true) is null"
    const { stdout } = await localRun(backup.root, ['--dbname', 'postgres', '--', 'psql', '-XAtc', question])
    expect(stdout).toBe('acme|t')
    const made = await restored(backup.root, ['--name', 'x'])
    expect(await ask(made, question, 'postgres')).toBe('acme|t')
    const conf = readFileSync(join(made.directory, 'conf/postgresql.conf'), 'utf8')
    expect(conf).not.toContain('plperl')
    expect(readFileSync(join(made.directory, 'data/postgresql.auto.conf'), 'utf8')).toBe('')
  })

  it('is told to be unchecked where the record has no checksums, by download and verify', async () => {
    await spoil(backup, 'echo mine >>README')
    const to = await aRoot()
    const { status, stderr } = await download(backup.root, to)
    expect(status).toBe(0)
    expect(stderr).toContain('conf/ not checked: the record has no checksums')
    const verified = await runPgbk(['verify', '-C', to])
    expect(verified.stderr).toContain('conf/ not checked: the record has no checksums')
  })

  it('is not downloaded when it is not that of the record', async () => {
    await run(['sh', '-c', 'echo mine >>README; echo "#" >>conf/original/postgresql.conf'], {
      cwd: backup.snapshot,
    })
    const { status, error } = await download(backup.root, await aRoot())
    expect(status).toBe(1)
    expect(error.message).toContain('README: it was changed since it was made')
    expect(error.message).toContain('conf/original/postgresql.conf: it was changed')
  })
})

describe("a server's own configuration that is hostile", () => {
  it('runs, loads, includes and writes nothing elsewhere when restore -D brings it back, and the plan tells', async () => {
    const server = await aServer({ major: anyMajor })
    const backup = await aBackupOf(server)
    await server.stop()
    const trap = aTrap()
    const evil = aTrap()
    await run([
      'sh',
      '-c',
      `printf '%s\\n' "archive_cleanup_command = 'touch ${trap}'" work_mem=77MB >${evil}.conf`,
    ])
    const lines = [
      ['archive_mode = on', `archive_command = 'touch ${trap}'`, 'archive_timeout = 1'],
      ['ssl = on', `ssl_passphrase_command = 'touch ${trap}'`, `session_preload_libraries = '${trap}'`],
      ['logging_collector = on', `log_directory = '${trap}'`, `external_pid_file = '${trap}'`],
      [
        `include_if_exists '${evil}.conf'`,
        `include 'a/../../../../../../..${evil}.conf'`,
        `include b/../../../../../..${evil}.conf`,
      ],
      [`dynamic_library_path = '/tmp:$libdir'`, `plperl.on_init = 'system("touch ${trap}")'`],
    ].flat()
    await writeFile(
      join(backup.snapshot, 'conf/original/postgresql.conf'),
      `${readFileSync(join(backup.snapshot, 'conf/original/postgresql.conf'), 'utf8')}\n${lines.join('\n')}\n`,
    )
    await writeFile(
      join(backup.snapshot, 'conf/original/postgresql.auto.conf'),
      `include '${evil}.conf'\nhba_file = '${trap}'\nrecovery_end_command = 'touch ${trap}'\n`,
    )
    const data = join(aDirectory(), 'main')
    const port = await aFreePort()
    const made = await restored(backup.root, ['-D', data, '--start', '--port', String(port)])
    expect(made.switched_off).toEqual(
      expect.arrayContaining([
        'ssl_passphrase_command',
        'session_preload_libraries',
        'log_directory',
        'dynamic_library_path',
        'recovery_end_command',
        'plperl.on_init',
      ]),
    )
    const settings = [
      'archive_mode',
      'ssl',
      'session_preload_libraries',
      'log_directory',
      'dynamic_library_path',
      'work_mem',
      'hba_file',
    ]
    const values = settings.map((name) => `current_setting('${name}')`).join()
    const server2 = { port, role: 'focker', socket: server.socket }
    expect(await ask(server2, `select ${values}, pg_switch_wal() is null`)).toBe(
      `off|off||log|$libdir|4MB|${data}/pg_hba.conf|f`,
    )
    expect(made.notes.join('\n')).toContain('is not in the backup')
    expect(made.notes.join('\n')).toContain('postgresql.auto.conf includes, is not in the backup')
    expect(existsSync(trap)).toBe(false)
  })
})
