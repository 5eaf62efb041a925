import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { copyOf, download, downloadOf, received } from '../helpers/download.js'
import { ifMounts, needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, fill, verifies } from '../helpers/server.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { anSshHost, anSshTo, heldAfter, type SshHost } from '../helpers/ssh.js'
import { entriesOf, until } from '../helpers/traces.js'

// One form: files go on by their names, an image at its bytes (packed-moves.test.ts).

const { describe, it } = needs('program sshd')

let backup: MadeBackup
let ssh: SshHost
beforeAll(async () => {
  ssh = await anSshHost()
  const server = await aServer({ major: anyMajor })
  await fill(server)
  backup = await aBackupOf(server)
})

/** A download over ssh that comes to a halt after some megabytes; resolves when it is there. */
async function aHeldDownload(to: string, megabytes = 30) {
  const child = startPgbk(['download', 'latest', '--from', `test:${backup.root}`, '-C', to, '--json'], {
    env: heldAfter(megabytes * 2 ** 20, ssh.env),
  })
  await until('some files have come', () => received(downloadOf(backup, to)).size > 100)
  return { child }
}

const overSsh = (to: string, args: string[] = []) =>
  download(`test:${backup.root}`, to, args, { env: ssh.env })

/** Files that no checksum vouches for come again: the configuration, and what pgbk has changed. */
function isKept(name: string): boolean {
  return (
    /^snapshot\/(data|tablespaces)\//.test(name) &&
    !/(postgresql\.auto\.conf|pg_wal\/archive_status)/.test(name)
  )
}

describe('a download that was ended in the middle', () => {
  it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('by %s goes on where it was', async (signal) => {
    const to = await aRoot()
    const { child } = await aHeldDownload(to)
    child.kill(signal)
    const { exitCode, stdout, stderr } = await child
    const status = { SIGKILL: undefined, SIGINT: 130, SIGTERM: 143 }[signal]
    expect(exitCode).toBe(status)
    if (status !== undefined) {
      expect(JSON.parse(String(stdout)).error.code).toBe(signal === 'SIGINT' ? 'interrupted' : 'terminated')
      expect(stderr).toContain(`what has arrived of ${backup.record.id} is kept in ${downloadOf(backup, to)}`)
    }
    expect(JSON.parse((await runPgbk(['list', '-C', to, '--json'])).stdout)).toMatchObject({
      backups: [],
      rejected: [],
    })
    const before = received(downloadOf(backup, to))
    const again = await overSsh(to)
    expect(again.error).toBeUndefined()
    const copy = copyOf(backup, to)
    const after = received(copy)
    const kept = [...before.keys()].filter(isKept)
    expect(kept.length).toBeGreaterThan(50)
    expect(kept.filter((name) => after.get(name) !== before.get(name))).toEqual([])
    const came = [...after.keys()].filter(
      (name) => after.get(name) !== before.get(name) && name !== 'backup.json',
    )
    expect(again.json.received_bytes).toBe(
      came.reduce((sum, name) => sum + statSync(join(copy, name)).size, 0),
    )
    expect(await verifies(join(copy, 'snapshot'), anyMajor)).toBe(true)
    expect(readdirSync(copy).sort()).toEqual(['backup.json', 'snapshot', 'wal'])
  })

  it('does not trust what is there: a file that has changed, or is no longer whole, comes again', async () => {
    const to = await aRoot()
    const { child } = await aHeldDownload(to)
    child.kill('SIGKILL')
    await child
    const directory = downloadOf(backup, to)
    const names = [...received(directory).keys()].filter((name) =>
      /snapshot\/data\/base\/\d+\/\d+$/.test(name),
    )
    const [first = '', second = ''] = names.filter(
      (name) => readFileSync(join(directory, name)).length > 8192,
    )
    const bytes = readFileSync(join(directory, first))
    bytes.fill(7, 100, 200)
    writeFileSync(join(directory, first), bytes)
    writeFileSync(join(directory, second), 'short')
    writeFileSync(join(directory, 'snapshot/data/stray'), 'from somewhere else')
    rmSync(join(directory, 'snapshot/data/backup_manifest'), { force: true })
    expect(await overSsh(to)).toMatchObject({ status: 0 })
    expect(await verifies(join(copyOf(backup, to), 'snapshot'), anyMajor)).toBe(true)
  })

  it('keeps others from the same backup, who end with status 4', async () => {
    const to = await aRoot()
    const { child } = await aHeldDownload(to)
    const second = await overSsh(to)
    expect(second).toMatchObject({ status: 4, error: { code: 'locked' } })
    expect(second.error.message).toContain(`a download of ${backup.record.id} since`)
    child.kill('SIGKILL')
    await child
  })

  it('is left alone by a create and a delete in the same root', async () => {
    const to = await aRoot()
    const { child } = await aHeldDownload(to)
    child.kill('SIGKILL')
    await child
    const before = received(downloadOf(backup, to))
    const server = await aServer({ major: anyMajor })
    const made = await aBackupOf(server, { root: to })
    await runPgbk(['delete', '-C', to, '--last', made.record.id])
    expect(received(downloadOf(backup, to))).toEqual(before)
  })

  it('starts over for another backup of the same id', async () => {
    const to = await aRoot()
    const { child } = await aHeldDownload(to)
    child.kill('SIGKILL')
    await child
    const other = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, other])
    const record = join(copyOf(backup, other), 'backup.json')
    const startedAt = new Date(Date.parse(backup.record.started_at) + 1).toISOString()
    const changed = { ...backup.record, started_at: startedAt }
    writeFileSync(record, JSON.stringify(changed))
    const { status, stderr, json } = await download(other, to)
    expect({ status, started: json.backup.started_at }).toEqual({ status: 0, started: startedAt })
    expect(stderr).toContain('what an earlier download of another backup')
  })
})

describe('a directory in the way', () => {
  it('that is not a download of pgbk is left alone', async () => {
    const to = await aRoot()
    await run(['mkdir', '-p', downloadOf(backup, to)])
    await run(['touch', join(downloadOf(backup, to), 'precious')])
    const { status, error } = await overSsh(to)
    expect(status).toBe(1)
    expect(error.message).toContain('nothing in it shows that pgbk made it')
    expect(existsSync(join(downloadOf(backup, to), 'precious'))).toBe(true)
  })
})

describe('a disk without room', () => {
  ifMounts('is found out before anything travels', async () => {
    const to = aSmallDisk(40)
    const { status, error } = await overSsh(to)
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'disk-full' })
    expect(error.message).toMatch(/needs [\d.]+ MB more, and [\d.]+ MB are free in /)
    expect(entriesOf(to)).toEqual([])
  })

  ifMounts(
    'that fills up meanwhile keeps what has come, and the download goes on when there is room',
    async () => {
      const to = aSmallDisk(100)
      const { child } = await aHeldDownload(to, 45)
      child.kill('SIGKILL')
      await child
      execaSync('sh', ['-c', `head -c 10m /dev/zero > ${to}/filler`])
      const grown = anSshTo({ tar: takesRoom(to) })
      const words = ['download', 'latest', '--from', `test:${backup.root}`, '-C', to, '--json']
      const full = await runPgbk(words, { env: grown })
      expect(JSON.parse(full.stdout).error.code).toBe('disk-full')
      expect(full.stderr).toContain('is kept in')
      rmSync(join(to, 'filler'))
      rmSync(join(to, 'more'))
      expect(await overSsh(to)).toMatchObject({ status: 0 })
    },
  )
})

/** A tar that takes the rest of the receiver's disk before it sends anything. */
function takesRoom(disk: string): string {
  return `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
cat /dev/zero > ${disk}/more 2>/dev/null
exec /usr/bin/tar "$@"
`
}

describe('a source that changes', () => {
  it('while its WAL archive grows: a finished segment and a compressed one come too', async () => {
    const twin = await aTwinOf(backup, '20300101T000000Z')
    const wal = join(twin.directory, 'wal')
    const [own = ''] = readdirSync(wal)
    const [next, third] = ['0000000100000000000000E0', '0000000100000000000000E1']
    await run(['cp', join(wal, own), join(wal, `${next}.partial`)])
    await run(['cp', join(wal, own), join(wal, third)])
    // Just before the files are read, a segment is finished, and another one is compressed.
    const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
cd '${wal}' && mv ${next}.partial ${next} 2>/dev/null; gzip -q ${third} 2>/dev/null
cd - >/dev/null; exec /usr/bin/tar "$@"
`
    const to = await aRoot()
    const { error, status } = await download(`test:${backup.root}`, to, [], { env: anSshTo({ tar }) })
    expect({ status, error }).toEqual({ status: 0, error: undefined })
    const names = readdirSync(join(copyOf(twin, to), 'wal')).sort()
    expect(names).toEqual([own, next, `${third}.gz`].sort())
    await run(['rm', '-r', twin.directory])
  })

  it('in the size of a file is found out, the file is named, and only it comes again', async () => {
    const to = await aRoot()
    const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
rm -rf /tmp/pgbk-shrunk.$$; cp -a . /tmp/pgbk-shrunk.$$; cd /tmp/pgbk-shrunk.$$
head -c 4096 snapshot/data/global/pg_control > x; cat x > snapshot/data/global/pg_control; rm x
/usr/bin/tar "$@"; status=$?; rm -rf /tmp/pgbk-shrunk.$$; exit $status
`
    const first = await download(`test:${backup.root}`, to, [], { env: anSshTo({ tar }) })
    expect(first).toMatchObject({ status: 1, error: { code: 'damaged' } })
    expect(first.error.message).toContain('snapshot/data/global/pg_control has another size or checksum')
    expect(first.error.hint).toContain('only these again')
    const second = await overSsh(to)
    expect(second.status).toBe(0)
    expect(second.json.received_bytes).toBeLessThan(backup.record.size_bytes / 2)
  })
})

describe('a source with a damaged file', () => {
  it('names it each time, and never lists the copy', async () => {
    const place = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, place])
    const name = 'snapshot/data/global/1262'
    await run([
      'sh',
      '-c',
      'printf x | dd of="$1" bs=1 seek=100 conv=notrunc',
      '-',
      join(copyOf(backup, place), name),
    ])
    const to = await aRoot()
    for (const from of [place, `test:${place}`]) {
      const { status, error } = await download(from, to, [], { env: ssh.env })
      expect({ status, code: error.code }).toEqual({ status: 1, code: 'damaged' })
      expect(error.message).toContain(`${name} has another size or checksum than its manifest says`)
      expect(entriesOf(to)).not.toContain(backup.record.id)
    }
  })

  it('is found out without pg_verifybackup too', async () => {
    const bin = join(await aRoot(), 'bin')
    mkdirSync(bin)
    const to = await aRoot()
    // A machine on which only an older major is installed cannot be had here: the record claims a newer one.
    const place = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, place])
    const { server } = backup.record
    const record = { ...backup.record, server: { ...server, version: '99.1', version_num: 990001 } }
    writeFileSync(join(copyOf(backup, place), 'backup.json'), JSON.stringify(record))
    expect((await download(place, to)).json).toMatchObject({ verified_by: 'its manifest' })
    const other = await aRoot()
    const name = join(copyOf(backup, place), 'snapshot/data/global/1262')
    await run(['sh', '-c', 'printf x | dd of="$1" bs=1 seek=100 conv=notrunc', '-', name])
    expect(await download(place, other)).toMatchObject({ status: 1, error: { code: 'damaged' } })
  })
})
