import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { ask, restored } from '../helpers/restore.js'
import { aServer, fill, type TestServer } from '../helpers/server.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { fingerprint } from '../helpers/tree.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const
const count = 'select count(*) from ledger, elsewhere where elsewhere.n = 1'

needs(...needed).describe('pgbk upload to a directory', () => {
  let server: TestServer
  let backup: MadeBackup
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    await fill(server)
    backup = await aBackupOf(server)
  })
  const upload = (store: string, ...args: string[]) =>
    runPgbk(['upload', '-C', backup.root, '--to', store, ...args])
  const listed = async (store: string) => {
    const { stdout } = await runPgbk(['list', '-C', store, '--json'])
    return JSON.parse(stdout).backups as { id: string; form: string; state: string }[]
  }
  /** What an upload leaves beside the backups. */
  const remains = (root = backup.root) =>
    readdirSync(join(root, 'data/backup')).filter((name) => /^\..*\.upload$/.test(name))
  /** Puts something into the place of the image, so that everything comes but that. */
  const noImageIn = async (store: string) => {
    const inTheWay = join(store, 'data/backup', backup.record.id, 'snapshot.squashfs')
    await run(['mkdir', '-p', inTheWay])
    return inTheWay
  }

  it('packs what is plain, and makes a root that verifies and restores; the backup here keeps its form', async () => {
    const store = aDirectory()
    const before = fingerprint(backup.directory)
    const { status, stdout, stderr } = await upload(store, '--json')
    expect({ status, stderr }).toMatchObject({ status: 0 })
    const { id } = backup.record
    expect(JSON.parse(stdout).uploads).toMatchObject([
      { id, location: join(store, 'data/backup', id), already_there: false, error: null },
    ])
    expect(await listed(store)).toMatchObject([{ id, form: 'packed', state: 'whole' }])
    expect(readdirSync(join(store, 'data/backup', id)).sort()).toEqual([
      'README',
      'backup.json',
      'snapshot.squashfs',
      'wal',
    ])
    expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
    const instance = await restored(store, [id, '--name', 'from-store'])
    expect(await ask(instance, count, 'app')).toBe('1000')
    expect(fingerprint(backup.directory)).toBe(before)
    expect(remains()).toEqual([])
  })

  it('says that a backup is there already, ends with 0, and sends the WAL that has come since', async () => {
    const store = aDirectory()
    await upload(store)
    const more = join(backup.directory, 'wal', '0000000900000000000000FF')
    writeFileSync(more, Buffer.alloc(backup.record.wal_segment_size))
    if (isRoot) chownSync(more, ordinaryUser.uid, ordinaryUser.gid)
    const { status, stdout } = await upload(store, '--json')
    rmSync(more)
    expect({ status, uploads: JSON.parse(stdout).uploads }).toMatchObject({
      status: 0,
      uploads: [{ already_there: true, error: null }],
    })
    expect(existsSync(join(store, 'data/backup', backup.record.id, 'wal/0000000900000000000000FF.gz'))).toBe(
      true,
    )
    expect(remains()).toEqual([])
  })

  it('sends a packed backup as it is, with a snapshot unpacked beside it left out', async () => {
    const twin = await aTwinOf(backup, '20240101T000000Z')
    await runPgbk(['pack', '-C', backup.root, twin.record.id])
    mkdirSync(join(twin.directory, 'snapshot'))
    const store = aDirectory()
    const { status, stderr } = await upload(store, twin.record.id)
    rmSync(join(twin.directory, 'snapshot'), { recursive: true })
    expect({ status, stderr }).toMatchObject({ status: 0 })
    // Its WAL is sent compressed.
    await run(['diff', '-r', '-x', 'wal', twin.directory, join(store, 'data/backup', twin.record.id)])
    expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
    await runPgbk(['delete', '-C', backup.root, twin.record.id, '--yes'])
  })

  it('lists nothing that is half there after kills at any moment, and the next upload completes it', async () => {
    const store = aDirectory()
    const rounds = roundsOf(3)
    for (const wait of randomNumbers(rounds, 4000, 'kill of upload')) {
      const child = startPgbk(['upload', '-C', backup.root, '--to', store])
      await sleep(wait)
      child.kill('SIGKILL')
      await child
      const found = await listed(store)
      if (found.length > 0) expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
    }
    const { status, stderr } = await upload(store)
    expect({ status, stderr, seed }).toMatchObject({ status: 0 })
    expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
    expect(readdirSync(join(store, 'data/backup', backup.record.id)).sort()).toEqual([
      'README',
      'backup.json',
      'snapshot.squashfs',
      'wal',
    ])
    expect(remains()).toEqual([])
  }, 120_000)

  it('goes on where a killed one has ended: what is packed is not packed again', async () => {
    const store = aDirectory()
    const inTheWay = await noImageIn(store)
    const failed = await upload(store)
    expect(failed.status).toBe(1)
    expect(remains()).toEqual([`.${backup.record.id}.upload`])
    rmSync(inTheWay, { recursive: true })
    const { status, stderr } = await upload(store)
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('has packed') })
    expect(remains()).toEqual([])
  })

  it('packs anew what has changed in the image of a killed one', async () => {
    const store = aDirectory()
    const inTheWay = await noImageIn(store)
    await upload(store)
    rmSync(inTheWay, { recursive: true })
    const image = join(backup.root, 'data/backup', remains()[0] ?? '', 'snapshot.squashfs')
    const file = await open(image, 'r+')
    await file.write(Buffer.from('x'), 0, 1, 200_000)
    await file.close()
    const damaged = await upload(store)
    expect(damaged).toMatchObject({ status: 1, stderr: expect.stringContaining('is not what was packed') })
    expect(await listed(store)).toEqual([])
    expect((await upload(store)).status).toBe(0)
    expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
  })

  it('is not harmed by another uploader of the same cluster at the same time', async () => {
    const store = aDirectory()
    const other = aDirectory()
    await run(['cp', '-a', join(backup.root, 'data'), other])
    const ends = await Promise.all([
      upload(store),
      runPgbk(['upload', '-C', other, '--to', store], { alone: true }),
    ])
    expect(ends.map(({ status }) => status)).toContain(0)
    expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
    expect((await runPgbk(['upload', '-C', other, '--to', store])).status).toBe(0)
  })

  it('refuses a store of another cluster, unless that is said', async () => {
    const store = aDirectory()
    await upload(store)
    const foreign = await aBackupOf(await aServer({ major: anyMajor }))
    const args = ['upload', '-C', foreign.root, '--to', store]
    const refused = await runPgbk(args)
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('another cluster') })
    expect((await listed(store)).map(({ id }) => id)).toEqual([backup.record.id])
    expect((await runPgbk([...args, '--new-cluster'])).status).toBe(0)
    expect(await listed(store)).toHaveLength(2)
  })

  it('ends with an error and lists nothing when the store is full', async () => {
    const store = aSmallDisk(3)
    const { status, stdout, stderr } = await upload(store, '--json')
    expect({ status, error: JSON.parse(stdout).error, stderr }).toMatchObject({
      status: 1,
      error: { code: 'disk-full' },
    })
    expect(await listed(store)).toEqual([])
    execaSync('mount', ['-o', 'remount,size=400m', store])
    expect((await upload(store)).status).toBe(0)
    expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
  })

  it('says what is wrong with a store that may not be written, is not there, or has no room for a name', async () => {
    const closed = aDirectory()
    chmodSync(closed, 0o500)
    expect(await upload(closed)).toMatchObject({ status: 1, stderr: expect.stringContaining(closed) })
    const missing = join(aDirectory(), 'not-mounted')
    expect(await upload(missing)).toMatchObject({ stderr: expect.stringContaining(missing) })
    expect(existsSync(missing)).toBe(false)
  })

  it('sends all that a store lacks, the oldest first, and says what became of each', async () => {
    const store = aDirectory()
    const older = await aTwinOf(backup, '20250101T000000Z')
    const { status, stdout } = await upload(store, '--all', '--json')
    expect({ status, ids: JSON.parse(stdout).uploads.map(({ id }: { id: string }) => id) }).toEqual({
      status: 0,
      ids: [older.record.id, backup.record.id],
    })
    const again = await upload(store, '--all')
    expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining('have every backup already') })
    await runPgbk(['delete', '-C', backup.root, older.record.id, '--yes'])
  })

  it('is not deleted or pruned while it is uploaded, and one that is used is not uploaded', async () => {
    const aside = join(backup.root, 'data/backup', `.${backup.record.id}.upload`)
    const { pid } = process
    mkdirSync(aside)
    const mark = {
      made_by: 'upload',
      backup: backup.record.id,
      pgbk_pid: pid,
      pgbk_start_time: null,
      pid_space: null,
    }
    writeFileSync(join(aside, '.pgbk-upload.json'), JSON.stringify(mark))
    const { status, stderr } = await runPgbk([
      'delete',
      '-C',
      backup.root,
      backup.record.id,
      '--yes',
      '--last',
    ])
    rmSync(aside, { recursive: true })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('in use by an upload') })
    const used = await aTwinOf(backup, '20250102T000000Z')
    rmSync(join(used.snapshot, 'data/backup_label'))
    const refused = await upload(aDirectory(), used.record.id)
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('is not uploaded') })
    await runPgbk(['delete', '-C', backup.root, used.record.id, '--yes'])
  })
})
