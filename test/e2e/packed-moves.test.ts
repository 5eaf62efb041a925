import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { appendFile, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { aBackupOf, aFile, type MadeBackup } from '../helpers/backup.js'
import { copyOf, download, downloadOf } from '../helpers/download.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { ask, restored } from '../helpers/restore.js'
import { aRoot, aServer, fill } from '../helpers/server.js'
import { anSshHost, heldAfter, heldFrom, type SshHost, withPrograms } from '../helpers/ssh.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

const programs = ['program mksquashfs', 'program squashfuse', 'program sshd'] as const
const { describe, it } = needs('user namespaces', '/dev/fuse', ...programs)

const count = 'select count(*) from ledger, elsewhere where elsewhere.n = 1'
/** An image of several ranges: some 8 MB of it cannot be compressed. */
const noise =
  'create table noise as select sha256(n::text::bytea) as bytes from generate_series(1, 250000) as n'
const range = 4 << 20
const imageIn = (directory: string) => join(directory, 'snapshot.squashfs')

let backup: MadeBackup
let ssh: SshHost
beforeAll(async () => {
  ssh = await anSshHost()
  const server = await aServer({ major: anyMajor })
  await fill(server)
  await server.sql(noise, 'app')
  backup = await aBackupOf(server, { args: ['--packed'] })
})

/** It has the bytes of the source, and answers. */
async function checkCopy(root: string): Promise<void> {
  const copy = copyOf(backup, root)
  for (const name of ['backup.json', 'README', 'snapshot.squashfs'])
    expect(readFileSync(join(copy, name)).equals(readFileSync(join(backup.directory, name)))).toBe(true)
  expect(readdirSync(copy).sort()).toEqual(['README', 'backup.json', 'snapshot.squashfs', 'wal'])
  const { status, stdout } = await localRun(root, ['--dbname', 'app', '--', 'psql', '-XAtqc', count])
  expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: '1000' })
}

/** A twin of the root, whose image has another byte. */
async function aDamagedSource(): Promise<string> {
  const root = await aRoot()
  await run(['cp', '-a', join(backup.root, 'data'), root])
  const file = await open(imageIn(copyOf(backup, root)), 'r+')
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 100_000)
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 100_000)
  await file.close()
  return root
}

describe('the download of a packed backup', () => {
  it('from a directory is the same, and what lies unpacked beside the image stays where it is', async () => {
    const from = await aRoot()
    await run(['cp', '-a', join(backup.root, 'data'), from])
    const source = copyOf(backup, from)
    await run(['unsquashfs', '-no-progress', '-d', join(source, 'snapshot'), imageIn(source)])
    const to = await aRoot()
    const { status, json } = await download(from, to)
    expect({ status, verified_by: json.verified_by }).toMatchObject({ status: 0 })
    await checkCopy(to)
    expect(await download(from, to)).toMatchObject({ status: 0, json: { received_bytes: 0 } })
  })

  it('over ssh that was killed in the middle of the image goes on there', async () => {
    const to = await aRoot()
    const { size } = statSync(imageIn(backup.directory))
    const env = heldFrom(range, ssh.env)
    const child = startPgbk(['download', 'latest', '--from', `test:${backup.root}`, '-C', to], { env })
    const part = join(downloadOf(backup, to), 'snapshot.squashfs.pgbk-part')
    const here = () => lstatSync(part, { throwIfNoEntry: false })?.size ?? 0
    await until('one range of it is here', () => here() === range)
    child.kill('SIGKILL')
    await child
    const before = here()
    expect([
      before,
      readFileSync(part).equals(readFileSync(imageIn(backup.directory)).subarray(0, before)),
    ]).toEqual([range, true])
    const { status, json } = await download(`test:${backup.root}`, to, [], { env: ssh.env })
    const others = readdirSync(join(backup.directory, 'wal')).map((name) => join('wal', name))
    const rest = ['README', ...others].map((name) => statSync(join(backup.directory, name)).size)
    expect({ status, received: json.received_bytes }).toEqual({
      status: 0,
      received: size - before + rest.reduce((sum, bytes) => sum + bytes, 0),
    })
    await checkCopy(to)
  })

  it('that goes on after other bytes than those of the source brings all of it', async () => {
    const to = await aRoot()
    const env = heldFrom(range, ssh.env)
    const child = startPgbk(['download', 'latest', '--from', `test:${backup.root}`, '-C', to], { env })
    const part = join(downloadOf(backup, to), 'snapshot.squashfs.pgbk-part')
    await until('some of it is here', () => (lstatSync(part, { throwIfNoEntry: false })?.size ?? 0) > 100_000)
    child.kill('SIGKILL')
    await child
    await appendFile(part, 'of somebody else')
    expect(await download(backup.root, to)).toMatchObject({ status: 0 })
    await checkCopy(to)
  })

  it.each(['directory', 'ssh'])(
    'from a damaged source, by %s, is refused, and leaves nothing',
    async (by) => {
      const [from, to] = [await aDamagedSource(), await aRoot()]
      const source = by === 'ssh' ? `test:${from}` : from
      const { status, error } = await download(source, to, [], { env: ssh.env })
      expect({ status, code: error.code }).toEqual({ status: 1, code: 'damaged' })
      expect(error.message).toContain('its SHA-256 is not that of the record')
      expect(readdirSync(join(to, 'data/backup')).filter((name) => !name.endsWith('.lock'))).toEqual([])
    },
  )

  it('begun while it was plain there begins anew', async () => {
    const from = await aRoot()
    await run(['cp', '-a', join(backup.root, 'data'), from])
    expect(await runPgbk(['unpack', backup.record.id, '-C', from])).toMatchObject({ status: 0 })
    const to = await aRoot()
    const env = heldAfter(20 * 2 ** 20, ssh.env)
    const child = startPgbk(['download', 'latest', '--from', `test:${from}`, '-C', to], { env })
    const directory = downloadOf(backup, to)
    await until('some of it is here', () => {
      const found = lstatSync(join(directory, 'snapshot/data/base'), { throwIfNoEntry: false })
      return found !== undefined && readdirSync(join(directory, 'snapshot/data/base')).length > 0
    })
    child.kill('SIGKILL')
    await child
    const { status, stderr } = await download(backup.root, to)
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('in its other form'),
    })
    await checkCopy(to)
  })

  it('as a tar is refused where the image is cut off', async () => {
    const from = await aRoot()
    await run(['cp', '-a', join(backup.root, 'data'), from])
    await run(['truncate', '-s', '-4096', imageIn(copyOf(backup, from))])
    for (const source of [from, `test:${from}`]) {
      const file = join(await aRoot(), 'it.tar')
      const words = ['download', 'latest', '--from', source, '--archive', file, '-C', from]
      const { status, stderr } = await runPgbk(words, { env: ssh.env })
      expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('bytes') })
      expect(lstatSync(file, { throwIfNoEntry: false })).toBeUndefined()
    }
  })
})

describe('the restore of a packed backup', () => {
  it.each([
    ['unpacks it in its place', {}],
    ['copies it where there is no unsquashfs', withoutUnsquashfs()],
  ])('%s, and changes nothing of it', async (_title, env) => {
    const before = fingerprint(backup.directory)
    const instance = await restored(backup.root, ['--name', 'one'], { env })
    expect(await ask(instance, count, 'app')).toBe('1000')
    expect(readdirSync(join(instance.directory, 'data'))).not.toContain('.pgbk-unpacked')
    await runPgbk(['instance', 'stop', 'one', '-C', backup.root])
    expect(await runPgbk(['instance', 'delete', 'one', '--yes', '-C', backup.root])).toMatchObject({
      status: 0,
    })
    expect(fingerprint(backup.directory)).toBe(before)
  })

  it.each([
    ['the data directory', 'data'],
    ['the directory of a tablespace', 'tablespaces/'],
    ['the directory of tablespaces', 'tablespaces'],
    ['a directory of the data', 'data/base'],
  ])('whose image has a link instead of %s takes nothing away from others', async (_title, name) => {
    const { root, victim } = await aHostileSource(name)
    const before = fingerprint(victim)
    const data = join(await aRoot(), 'main')
    for (const env of [{}, withoutUnsquashfs()]) {
      const { status, stdout } = await runPgbk(['restore', '-D', data, '--json', '-C', root], { env })
      const { error } = JSON.parse(stdout)
      expect({ status, code: error?.code, said: error?.message }).toMatchObject({ code: 'damaged' })
      expect(fingerprint(victim)).toBe(before)
    }
    const { json } = await download(root, await aRoot())
    expect(json.error).toMatchObject({ code: 'damaged' })
    expect((await runPgbk(['verify', 'latest', '-C', root])).status).not.toBe(0)
    expect(fingerprint(victim)).toBe(before)
  })

  it('with an image that is damaged leaves nothing', async () => {
    const root = await aDamagedSource()
    const data = join(await aRoot(), 'main')
    const image = await open(imageIn(copyOf(backup, root)), 'r+')
    await image.write(Buffer.alloc(2_000_000, 1), 0, 2_000_000, 200_000)
    await image.close()
    expect((await runPgbk(['restore', '-D', data, '-C', root])).status).not.toBe(0)
    expect(readdirSync(data).filter((name) => !name.startsWith('.'))).toEqual([])
  })
})

/** A twin of the root in whose image this is a link to the same files at another place, with a record that fits. */
async function aHostileSource(name: string): Promise<{ root: string; victim: string }> {
  const root = await aRoot()
  await run(['cp', '-a', join(backup.root, 'data'), root])
  const directory = copyOf(backup, root)
  const image = imageIn(directory)
  const [made, victim] = [join(aDirectory('pgbk-made-'), 'made'), join(aDirectory('pgbk-victim-'), 'files')]
  const place = dirname(made)
  const [oid = ''] = name.endsWith('/') ? backup.record.tablespaces.map((one) => String(one.oid)) : []
  const script = `unsquashfs -no-progress -d "$1" "$2" && mv "$1/$3" "$4" && ln -s "$4" "$1/$3" && rm "$2" &&
    mksquashfs "$1" "$2" -comp zstd -no-progress -quiet -no-xattrs && sha256sum "$2"`
  const words = ['sh', '-c', script, 'sh', made, image, `${name}${oid}`, victim]
  const { stdout: said } = await run(words, { cwd: place })
  const sha256 = /[0-9a-f]{64}/.exec(said)?.[0]
  const record = JSON.parse(readFileSync(join(directory, 'backup.json'), 'utf8'))
  Object.assign(record.packed, { bytes: statSync(image).size, sha256 })
  await aFile(join(directory, 'backup.json'), JSON.stringify(record))
  return { root, victim }
}

function withoutUnsquashfs(): Record<string, string> {
  return withPrograms({ unsquashfs: '#!/bin/sh\nexit 127\n' })
}
