import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { copyOf, download, downloadOf } from '../helpers/download.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, binOf, run } from '../helpers/programs.js'
import { aRoot, aServer, fill, type TestServer } from '../helpers/server.js'
import { anSshTo, withPrograms } from '../helpers/ssh.js'

let server: TestServer
let backup: MadeBackup
beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  await fill(server)
  backup = await aBackupOf(server)
})

const asShell = (script: string, ...args: string[]) => run(['sh', '-c', script, 'sh', ...args])

/** A root with a copy of the backup. */
async function aRootOfIts(): Promise<MadeBackup> {
  const root = await aRoot()
  const directory = join(root, 'data/backup', backup.record.id)
  await asShell('mkdir -p "$(dirname "$2")" && cp -a "$1" "$2"', backup.directory, directory)
  return { ...backup, root, directory, snapshot: join(directory, 'snapshot') }
}

/** What is put in the place of a file, `$1`. */
const odd = [
  ['a pipe', 'mkfifo "$1"'],
  ['a link to a device without end', 'ln -s /dev/zero "$1"'],
  ['a link to a pipe', 'mkfifo "$1.pipe"; ln -s "$1.pipe" "$1"'],
  ['a link to itself', 'ln -s "$1" "$1"'],
  ['a directory', 'mkdir "$1"'],
  [
    'a socket',
    `perl -MIO::Socket::UNIX -e 'chdir $ARGV[0]; IO::Socket::UNIX->new(Local => $ARGV[1], Listen => 1) or die' "$(dirname "$1")" "$(basename "$1")"`,
  ],
  ['a file of a terabyte', 'truncate -s 1T "$1"'],
  ['bytes of nothing', 'head -c 5000 /dev/urandom > "$1"'],
] as const

/** Each takes a while; of the others the same code is asked by test/system/files/read-small.test.ts. */
const some = odd.filter(([kind]) => /^a pipe|device|directory|bytes/.test(kind))

describe.each(some)('%s in the place of files of a root', (_, plant) => {
  const [withoutRecord, withOddNotes] = ['20990101T030000Z', '20990102T030000Z']
  let good: MadeBackup
  beforeAll(async () => {
    good = await aRootOfIts()
    const directories = [withoutRecord, withOddNotes].map((id) => aTwinOf(good, id))
    const [first, second] = await Promise.all(directories)
    await asShell(
      'cd "$1" && mkdir -p data/instances/x data/run/x data/restores data/backup/.20990103T030000Z.partial',
      good.root,
    )
    const [segment = ''] = readdirSync(join(good.directory, 'wal'))
    const files = [
      `${first?.directory}/backup.json`,
      ...[
        'hold.json',
        'proof.json',
        'wal/.pgbk-gap',
        'wal/.pgbk-window.json',
        'wal/.pgbk-caught-up.json',
        'wal/00000002.history',
        `wal/${segment}`,
      ].map((name) => `${second?.directory}/${name}`),
      ...[
        'backup/.receive.json',
        'backup/.last-create.json',
        'backup/.20990103T030000Z.partial/.pgbk-partial.json',
        'instances/x/instance.json',
        'instances/x/.pgbk-restore.json',
        'run/x/.pgbk-run.json',
        'restores/x.json',
      ].map((name) => `${good.root}/data/${name}`),
    ]
    for (const file of files) await asShell(`rm -rf "$1"; ${plant}`, file)
  })

  it('ends no command, and hides nothing of the other backups', async () => {
    const { id } = good.record
    const { stdout } = await runPgbk(['list', '-C', good.root, '--json'])
    expect(JSON.parse(stdout).backups.map((one: { id: string }) => one.id)).toContain(id)
    expect(JSON.parse(stdout).backups.map((one: { id: string }) => one.id)).not.toContain(withoutRecord)
    const calls: [string[], number[]][] = [
      [['show', id], [0]],
      [['show', withOddNotes], [0]],
      [['status'], [0, 6]],
      [
        ['wal', 'status'],
        [0, 6],
      ],
      [['instance', 'list'], [0]],
      [
        ['prune', '--keep', '1'],
        [0, 1, 2],
      ],
      [['verify', id], [0]],
      [['verify', withOddNotes], [6]],
      [['verify', withoutRecord], [6]],
      [['local-run', id, '--', 'true'], [0]],
    ]
    for (const [args, statuses] of calls) {
      const { status, stderr } = await runPgbk(['-C', good.root, ...args])
      expect([args, statuses.includes(status ?? -1), stderr]).toEqual([args, true, stderr])
      expect(stderr).not.toContain('unexpected error')
    }
  }, 300_000)
})

/** Puts a line before the files of a manifest, which is whole again then. */
async function withLine({ snapshot }: MadeBackup, line: string): Promise<void> {
  const file = join(snapshot, 'data/backup_manifest')
  const text = readFileSync(file, 'utf8')
  const body = text
    .slice(0, text.lastIndexOf('"Manifest-Checksum"'))
    .replace('"Files": [\n', (start) => start + line)
  await aFile(file, `${body}"Manifest-Checksum": "${createHash('sha256').update(body).digest('hex')}"}\n`)
}

describe('a download from a hostile source', () => {
  const fileLine = (path: string) =>
    `{ "Path": "${path}", "Size": 1, "Last-Modified": "2026-11-20 03:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "00000000" },\n`
  const up = '../'.repeat(12)

  it.each([
    ['plainly', (path: string) => fileLine(up + path)],
    ['behind a return', (path: string) => ` \r${fileLine(up + path)}`],
    ['behind a line separator', (path: string) => ` \u2028${fileLine(up + path)}`],
    ['in a tablespace', (path: string) => fileLine(`pg_tblspc/16385/${up}${path}`)],
    [
      'in hexadecimal digits',
      (path: string) =>
        fileLine('x').replace('"Path": "x"', `"Encoded-Path": "${Buffer.from(up + path).toString('hex')}"`),
    ],
  ])('whose manifest names a file outside %s is refused, and that file stays', async (_way, lineFor) => {
    const source = await aRootOfIts()
    const to = await aRoot()
    const precious = await aFile(join(to, 'precious'), 'my only copy')
    await withLine(source, lineFor(precious))
    for (const from of [source.root, `test:${source.root}`]) {
      const { status, error } = await download(from, to, [], { env: anSshTo({}) })
      expect([status, error.code]).toEqual([1, 'damaged'])
      expect(readFileSync(precious, 'utf8')).toBe('my only copy')
    }
  })

  it('never writes more of a file than its manifest says', async () => {
    const source = await aRootOfIts()
    const to = await aRoot()
    const name = 'snapshot/data/PG_VERSION'
    await asShell('truncate -s 3G "$1"', join(source.directory, name))
    const { status, error } = await download(`test:${source.root}`, to, [], { env: anSshTo({}) })
    expect([status, error.code]).toEqual([1, 'damaged'])
    expect(error.message).toContain(`${name} of the source has more than`)
    const part = join(downloadOf(source, to), `${name}.pgbk-part`)
    expect(existsSync(part) ? statSync(part).size : 0).toBeLessThan(10)
  })

  it.each(some)('lists the others where one has %s in the place of its record', async (_, plant) => {
    const source = await aRootOfIts()
    const { directory } = await aTwinOf(source, '20990101T030000Z')
    await asShell(`rm "$1"; ${plant}`, join(directory, 'backup.json'))
    for (const from of [source.root, `test:${source.root}`]) {
      const { status, stdout } = await runPgbk(['list', '--from', from, '--json'], { env: anSshTo({}) })
      expect(status).toBe(0)
      expect(JSON.parse(stdout).backups.map((one: { id: string }) => one.id)).toEqual([source.record.id])
    }
  })

  it('has no proof of its own: that something was proven there is shown there only', async () => {
    const source = await aRootOfIts()
    const proof = {
      format: 1,
      backup: source.record.id,
      finished_at: '2026-11-20T04:00:00Z',
      ok: true,
      faults: [],
      postgres_version: '15.1',
      ready_ms: 1,
      replay_ms: null,
    }
    await aFile(join(source.directory, 'proof.json'), JSON.stringify(proof))
    const to = await aRoot()
    const { stdout } = await runPgbk(['list', '--from', source.root, '--json'])
    expect(JSON.parse(stdout).backups[0].proof).toMatchObject({ ok: true })
    const { status, json } = await download(source.root, to)
    expect([status, json.backup.proof]).toEqual([0, null])
    expect(existsSync(join(copyOf(source, to), 'proof.json'))).toBe(false)
  })
})

describe('a create from a hostile server', () => {
  /** Programs whose pg_basebackup does more than it should, as a server would tell it. */
  const withEvil = (script: string) => {
    const [bin = ''] = (withPrograms(programsThat(script)).PATH ?? '').split(':')
    return { PGBK_BIN_DIR: bin }
  }
  const programsThat = (script: string) => ({
    psql: `#!/bin/sh\nexec ${binOf(anyMajor)}/psql "$@"\n`,
    pg_basebackup: `#!/bin/sh
case $1 in --version) exec ${binOf(anyMajor)}/pg_basebackup --version;; esac
${binOf(anyMajor)}/pg_basebackup "$@" || exit
for word; do case $word in --pgdata=*) D=\${word#--pgdata=};; esac; done
cd "$D" && ${script}
`,
  })

  it.each([
    [
      'a link to a file of mine',
      'ln -sf "$VICTIM" postgresql.auto.conf',
      'postgresql.auto.conf as a symbolic link to',
    ],
    [
      'a link in the place of a directory',
      'mv pg_xact elsewhere && ln -s elsewhere pg_xact',
      'pg_xact as a symbolic link to elsewhere',
    ],
    [
      'a tablespace that nobody knows',
      'ln -s /tmp pg_tblspc/99999',
      'pg_tblspc/99999 as a symbolic link to /tmp',
    ],
    ['a pipe', 'mkfifo base/1/99999', 'base/1/99999 as a pipe'],
    ['a file that is also another', 'ln PG_VERSION base/1/99999', 'as a file with 2 names'],
  ])('that sends %s is refused, and nothing is written through it', async (_, script, said) => {
    const root = await aRoot()
    const victim = await aFile(join(root, 'victim'), 'my key')
    const env = { ...server.env, ...withEvil(script.replaceAll('$VICTIM', victim)) }
    const { status, stdout } = await runPgbk(['create', '-C', root, '--json'], { env })
    const { error } = JSON.parse(stdout)
    expect([status, error.code]).toEqual([1, 'damaged'])
    expect(error.message).toContain(said)
    expect(readFileSync(victim, 'utf8')).toBe('my key')
    expect(readdirSync(join(root, 'data/backup')).filter((name) => !name.startsWith('.'))).toEqual([])
  })
})

describe('a backup with a link in it', () => {
  it.each([
    ['base', 'mv base ../../elsewhere && ln -s ../../elsewhere base'],
    ['pg_wal', 'mv pg_wal ../../elsewhere && ln -s ../../elsewhere pg_wal'],
    ['base/1', 'mv base/1 ../../elsewhere && ln -s ../../../elsewhere base/1'],
  ])('in the place of %s is told by verify, and not opened', async (name, script) => {
    const copy = await aRootOfIts()
    await asShell(`cd "$1" && ${script}`, join(copy.snapshot, 'data'))
    const verified = await runPgbk(['verify', '-C', copy.root])
    expect(verified.status).toBe(6)
    expect(verified.stdout).toContain(`snapshot/data/${name}`)
    expect(verified.stdout).toContain('a symbolic link')
    for (const args of [
      ['local-run', '--', 'true'],
      ['restore', '--dry-run'],
    ]) {
      const { status, stderr } = await runPgbk([...args.slice(0, 1), '-C', copy.root, ...args.slice(1)])
      expect([status, stderr]).toEqual([1, expect.stringMatching(/is incomplete/)])
    }
  })
})
