import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from '@jest/globals'
import { execa, execaSync } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { copyOf, isWhole } from '../helpers/download.js'
import { forms, inForm } from '../helpers/forms.js'
import { ifMounts, needs } from '../helpers/needs.js'
import { program, runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { commandLines } from '../helpers/process-list.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, fill } from '../helpers/server.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { anSshHost, anSshTo, heldAfter, type SshHost, withPrograms } from '../helpers/ssh.js'
import { until } from '../helpers/traces.js'
import { asUser } from '../helpers/users.js'

const { describe, it } = needs('program sshd', 'program zstd', 'program bsdtar', 'program busybox')

let plain: MadeBackup
let backup: MadeBackup
let ssh: SshHost
beforeAll(async () => {
  ssh = await anSshHost()
  const server = await aServer({ major: anyMajor })
  await fill(server)
  plain = await aBackupOf(server, { root: await aRoot("it's a root") })
  backup = plain
})

const archive = async (file: string, args: string[] = [], env: Record<string, string> = {}) => {
  const words = ['download', 'latest', '-C', backup.root, '--archive', file, '--json', ...args]
  const { status, stdout, stderr } = await runPgbk(words, { env })
  return { status, stderr, json: JSON.parse(stdout), error: JSON.parse(stdout).error }
}

/** Names, kinds, modes, sizes and targets of all that is in a directory. */
function tree(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true }).map(String).sort()
  return names.map((name) => {
    const { mode, size } = lstatSync(join(directory, name))
    return `${name} ${mode.toString(8)} ${mode & 0o040000 ? '' : size}`
  })
}

const unpackers: Record<string, string[]> = {
  'GNU tar': ['/usr/bin/tar', '-xf'],
  bsdtar: ['/usr/bin/bsdtar', '-xf'],
  busybox: ['/bin/busybox', 'tar', '-xf'],
}

describe.each(forms)('an archive of a %s backup', (form) => {
  beforeAll(async () => {
    backup = await inForm(form, plain)
  })
  afterAll(() => {
    backup = plain
  })

  it.each([
    ['.tar', 'GNU tar', 'root'],
    ['.tar', 'busybox', 'ssh'],
    ['.tar.gz', 'bsdtar', 'ssh'],
    ['.tgz', 'GNU tar', 'root'],
    ['.tar.zst', 'bsdtar', 'root'],
    ['.tar.zst', 'GNU tar', 'ssh'],
  ])('%s, unpacked by %s, made from a %s, is the backup', async (suffix, unpacker, source) => {
    const place = await aRoot('a place')
    const file = join(place, `b${suffix}`)
    const from = source === 'ssh' ? ['--from', `test:${backup.root}`] : []
    const { status, json, error } = await archive(file, from, ssh.env)
    expect({ status, error }).toEqual({ status: 0, error: undefined })
    expect(json.archive).toMatchObject({ file, size_bytes: statSync(file).size })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await run([...(unpackers[unpacker] ?? []), file], { cwd: place })
    expect(readdirSync(place).sort()).toEqual([`b${suffix}`, 'data'])
    const copy = copyOf(backup, place)
    expect(statSync(copy).mode & 0o777).toBe(0o700)
    expect(tree(copy)).toEqual(tree(backup.directory))
    const list = await runPgbk(['list', '-C', place, '--json'])
    expect(JSON.parse(list.stdout).backups).toHaveLength(1)
    expect(await isWhole(copy, anyMajor)).toBe(true)
  })

  it.each([
    ['none', 'cat'],
    ['gzip', 'gzip -dc'],
    ['zstd', 'zstd -dc'],
  ])('goes to standard output with --compress %s', async (way, unpack) => {
    const place = await aRoot()
    const words = ['download', 'latest', '-C', backup.root, '--archive', '-', '--compress', way]
    const command = [process.execPath, program, ...words].map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
    await run(['sh', '-c', `${command.join(' ')} | ${unpack} | tar -xf - -C "$1"`, '-', place])
    expect(tree(copyOf(backup, place))).toEqual(tree(backup.directory))
  })

  it('says for people how big it is, and how to unpack it', async () => {
    const file = join(await aRoot(), 'the backup.tar.zst')
    const { stdout } = await runPgbk(['download', 'latest', '-C', backup.root, '--archive', file])
    expect(stdout).toMatch(/^Archive .*: [\d.]+ MB \([\d.]+ MB unpacked\), [\d.]+ s\n/)
    expect(stdout).toContain(`tar -xf '${file}' -C DIR`)
  })

  it('needs no root that can be written', async () => {
    const file = join(await aRoot(), 'b.tar.zst')
    expect((await archive(file, ['--from', backup.root, '-C', '/proc'])).status).toBe(0)
  })

  it('without WAL has what the snapshot needs', async () => {
    const root = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, root])
    const wal = join(copyOf(backup, root), 'wal')
    const own = readdirSync(wal)
    await run(['cp', join(wal, own[0] ?? ''), join(wal, '0000000100000000000000F0')])
    const file = join(root, 'b.tar')
    await archive(file, ['--from', root, '--no-wal'])
    const { stdout } = await run(['tar', '-tf', file])
    expect(stdout.match(/\/wal\/\S+/g)?.map((name) => name.slice(5))).toEqual(own)
  })
})

describe('an archive is refused', () => {
  it.each([
    ['b.zip', [], /kind of archive/],
    ['b.tar', ['--compress', 'gzip'], /--compress is for --archive -/],
    ['b.tar', ['--to', '/tmp'], /cannot be combined with --to/],
    ['-', [], /--json cannot be used/],
  ])('as %s with %j', async (name, args, message) => {
    const place = await aRoot()
    const { status, error } = await archive(name === '-' ? name : join(place, name), args)
    expect({ status, code: error.code }).toEqual({ status: 2, code: 'usage' })
    expect(error.message).toMatch(message)
    expect(readdirSync(place)).toEqual([])
  })

  it('where a file is already, unless it is to be replaced', async () => {
    const file = join(await aRoot(), 'b.tar.zst')
    await run(['touch', file])
    const refused = await archive(file)
    expect(refused).toMatchObject({ status: 2, error: { message: `${file} is there already` } })
    expect(statSync(file).size).toBe(0)
    expect((await archive(file, ['--replace'])).status).toBe(0)
    expect(statSync(file).size).toBeGreaterThan(1e6)
  })

  it('on a terminal', async () => {
    const words = [process.execPath, program, 'download', 'latest', '-C', backup.root, '--archive', '-']
    const line = [...asUser(), ...words].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
    const { exitCode, stdout } = await execa('script', ['-qec', line, '/dev/null'], {
      cwd: '/',
      reject: false,
      stdin: 'ignore',
    })
    expect(exitCode).toBe(2)
    expect(stdout).toContain('an archive cannot be written to a terminal')
  })

  it('in a directory that is not there', async () => {
    const { status, error } = await archive('/no/such/place/b.tar')
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'failed' })
    expect(error.message).toContain('cannot write /no/such/place/b.tar')
  })

  it('in zstd where zstd is not installed', async () => {
    const bin = aDirectory()
    execaSync('chmod', ['755', bin])
    for (const name of ['setpriv', 'sh', 'tar']) execaSync('ln', ['-s', `/usr/bin/${name}`, bin])
    const { status, error } = await archive(join(await aRoot(), 'b.tar.zst'), [], { PATH: bin })
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'programs-missing' })
  })
})

describe('an archive that fails leaves no file', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('when %s ends it', async (signal) => {
    const place = await aRoot()
    const words = ['download', 'latest', '--from', `test:${backup.root}`, '--archive', join(place, 'b.tar')]
    const child = startPgbk(words, { env: heldAfter(20 * 2 ** 20, ssh.env) })
    await until('it is written', () => readdirSync(place).some((name) => sizeOf(join(place, name)) > 1e6))
    expect(existsSync(join(place, 'b.tar'))).toBe(false)
    child.kill(signal)
    const { exitCode } = await child
    expect(exitCode).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(readdirSync(place)).toEqual([])
  })

  it.each(['b.tar', 'b.tar.zst'])(
    'when a root of this machine is archived, and %s is interrupted',
    async (name) => {
      const place = await aRoot()
      const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
/usr/bin/tar "$@"; exec sleep 47.11
`
      const words = ['download', 'latest', '-C', backup.root, '--archive', join(place, name)]
      const child = startPgbk(words, { env: withPrograms({ tar }) })
      await until('it is written', () => readdirSync(place).some((one) => sizeOf(join(place, one)) > 1e5))
      child.kill('SIGINT')
      expect((await child).exitCode).toBe(130)
      expect(readdirSync(place)).toEqual([])
      expect(commandLines().filter((line) => line.includes('sleep 47.11'))).toEqual([])
    },
  )

  it.each([
    ['rm', 'pg_control is missing'],
    ['truncate -s 100', 'pg_control has 100 bytes instead of 8192'],
  ])('when a root of this machine lacks something after %s', async (spoil, message) => {
    const root = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, root])
    await run([...spoil.split(' '), join(copyOf(backup, root), 'snapshot/data/global/pg_control')])
    for (const name of ['b.tar', 'b.tar.gz', 'b.tar.zst']) {
      const place = await aRoot()
      const { status, error } = await archive(join(place, name), ['--from', root])
      expect({ status, code: error.code }).toEqual({ status: 1, code: 'damaged' })
      expect(error.message).toContain(message)
      expect(readdirSync(place)).toEqual([])
    }
  })

  ifMounts('when the disk is full', async () => {
    const disk = aSmallDisk(20)
    for (const name of ['b.tar', 'b.tar.gz', 'b.tar.zst']) {
      execaSync('sh', ['-c', `test ${name} = b.tar || head -c 19m /dev/zero > ${disk}/filler`])
      const { status, error } = await archive(join(disk, name))
      expect({ name, status, code: error.code }).toEqual({ name, status: 1, code: 'disk-full' })
      expect(readdirSync(disk).filter((one) => one !== 'filler')).toEqual([])
    }
  })

  it.each([
    ['a file that is not there', 'rm -f "$X/snapshot/data/global/pg_control"', /pg_control is missing/],
    [
      'a file that is too short',
      ': > "$X/snapshot/data/global/pg_control"',
      /pg_control has 0 bytes instead of/,
    ],
    ['a segment that is not there', 'rm -f "$X"/wal/*', /wal\/\w{24}\S* is missing/],
  ])('when the source has %s', async (_, spoil, message) => {
    const root = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, root])
    const place = await aRoot()
    const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
X='${copyOf(backup, root)}'; ${spoil}
/usr/bin/tar "$@"
`
    const file = join(place, 'b.tar.zst')
    const { status, error } = await archive(file, ['--from', `test:${root}`], anSshTo({ tar }))
    expect(status).toBe(1)
    expect(error.message).toMatch(message)
    expect(readdirSync(place)).toEqual([])
  })

  it.each(['none', 'gzip', 'zstd'])(
    'to standard output (--compress %s), and what is unpacked of it is no backup',
    async (kind) => {
      const root = await aRoot()
      await run(['cp', '-a', `${backup.root}/data`, root])
      await run(['rm', join(copyOf(backup, root), 'snapshot/data/global/pg_control')])
      const words = ['download', 'latest', '--from', `test:${root}`, '--archive', '-', '--compress', kind]
      const line = [process.execPath, program, ...words].map((word) => `'${word}'`).join(' ')
      const place = await aRoot()
      const unpack = { none: 'cat', gzip: 'gzip -dc', zstd: 'zstd -dc' }[kind]
      const script = `{ ${line}; echo "status $?" >&2; } | ${unpack} | tar -xf - -C '${place}'; echo "tar $?" >&2`
      const { stderr } = await execa('sh', ['-c', script], { env: ssh.env, cwd: '/' })
      expect(stderr).toContain('snapshot/data/global/pg_control is missing')
      expect(stderr).toContain('status 1')
      expect(stderr).not.toContain('tar 0')
      expect((await runPgbk(['list', '-C', place, '--json'])).stdout).toContain('"backups":[]')
    },
  )

  it('when a file changes while it is read', async () => {
    const place = await aRoot()
    const said = `data/backup/${backup.record.id}/snapshot/conf/postgresql.conf: file changed as we read it`
    const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
/usr/bin/tar "$@"; echo 'tar: ${said}' >&2; exit 1
`
    const from = ['--from', `test:${backup.root}`]
    const { status, error } = await archive(join(place, 'b.tar'), from, anSshTo({ tar }))
    expect({ status, message: error.message }).toEqual({
      status: 1,
      message: `the backup cannot be read: tar: ${said}`,
    })
    expect(readdirSync(place)).toEqual([])
    const harmless = tar.replace('snapshot/conf/postgresql.conf', 'wal/000000010000000000000001')
    expect((await archive(join(place, 'b.tar'), from, anSshTo({ tar: harmless }))).status).toBe(0)
  })

  it('and says so when the reader of standard output goes away', async () => {
    const words = [process.execPath, program, 'download', 'latest', '-C', backup.root, '--archive', '-']
    const line = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
    const status = join(await aRoot(), 'status')
    await run([
      'sh',
      '-c',
      `{ ${line}; echo $? > "$1"; } 2>"$1.err" | head -c 100000 > "$1.out"`,
      '-',
      status,
    ])
    expect(execaSync('cat', [status]).stdout).toBe('1')
    expect(execaSync('cat', [`${status}.err`]).stdout).toContain('cannot write to standard output')
  })
})

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0
}
