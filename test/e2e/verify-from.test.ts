import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { aKeyIn, anEncryptedRoot } from '../helpers/encrypted-root.js'
import { aLedger, type Ledger } from '../helpers/ledger.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot } from '../helpers/server.js'

// One form: elsewhere an image is verified, nothing else.

describe('verify --from a place', () => {
  let made: Ledger
  let root: string
  const cache = aDirectory('pgbk-cache-')
  beforeAll(async () => {
    made = await aLedger({ major: anyMajor, rows: 10 })
    const { status, stderr } = await runPgbk(['pack', made.backup.record.id, '-C', made.root])
    if (status !== 0) throw new Error(stderr)
  })
  beforeEach(async () => {
    root = join(aDirectory(), 'root')
    await run(['cp', '-a', made.root, root])
  })
  const inBackup = (name: string) => join(root, 'data/backup', made.backup.record.id, name)
  const verify = async (...args: string[]) => {
    const words = ['verify', '--from', root, '--json', ...args]
    const { status, stdout } = await runPgbk(words, { env: { HOME: cache, XDG_CACHE_HOME: cache } })
    const { checks, error } = JSON.parse(stdout)
    return { status, faults: checks?.[0]?.faults, segments: checks?.[0]?.segments, error }
  }
  const flip = (file: string) => {
    const bytes = readFileSync(file)
    bytes.writeUInt8((bytes[5000] ?? 0) ^ 1, 5000)
    writeFileSync(file, bytes)
  }

  it('finds all of it as it was made, by names and sizes, and by reading it', async () => {
    const { status, segments, faults } = await verify()
    expect({ status, faults }).toEqual({ status: 0, faults: [] })
    expect(segments).toBeGreaterThan(1)
    expect(await verify('--read')).toMatchObject({ status: 0, faults: [], segments })
    expect(readdirSync(join(cache, 'pgbk/from'))).toEqual([])
  })

  it.each([
    ['an image that was cut off', (at: string) => truncateSync(join(at, 'snapshot.squashfs'), 100_000)],
    ['no image', (at: string) => rmSync(join(at, 'snapshot.squashfs'))],
  ])('finds %s by its name', async (_, damage) => {
    damage(inBackup('.'))
    expect(await verify()).toMatchObject({ status: 6, faults: [{ file: 'snapshot.squashfs' }] })
  })

  it('finds a segment that is missing, and one that is cut off', async () => {
    const [first = '', second = ''] = readdirSync(inBackup('wal')).sort()
    renameSync(inBackup(`wal/${first}`), inBackup('gone'))
    truncateSync(inBackup(`wal/${second}`), 8192)
    const { status, faults } = await verify()
    expect(status).toBe(6)
    expect(faults.map(({ file }: { file: string }) => file).sort()).toEqual([`wal/${first}`, `wal/${second}`])
  })

  it('finds a bit that has flipped by reading, in the image and in WAL', async () => {
    flip(inBackup('snapshot.squashfs'))
    expect(await verify()).toMatchObject({ status: 0, faults: [] })
    const problem = 'its SHA-256 is not that of the record'
    expect(await verify('--read')).toMatchObject({
      status: 6,
      faults: [{ file: 'snapshot.squashfs', problem }],
    })
  })

  it('compares an encrypted one as it lies, without a key', async () => {
    const { recipient } = aKeyIn(await aRoot(), 'key.txt')
    const record = JSON.parse(readFileSync(inBackup('backup.json'), 'utf8'))
    root = await anEncryptedRoot({ ...made.backup, record }, [recipient])
    expect(await verify()).toMatchObject({ status: 0, faults: [] })
    expect(await verify('--read')).toMatchObject({ status: 0, faults: [] })
    const [first = ''] = readdirSync(inBackup('wal')).sort()
    const clear = `wal/${'F'.repeat(24)}.partial`
    writeFileSync(inBackup(clear), 'in clear')
    expect(await verify()).toMatchObject({
      status: 6,
      faults: [{ file: clear, problem: expect.stringContaining('not encrypted') }],
    })
    rmSync(inBackup(clear))
    renameSync(inBackup(`wal/${first}`), inBackup('gone'))
    flip(inBackup('snapshot.squashfs.age'))
    const file = `wal/${first}`
    expect(await verify()).toMatchObject({ status: 6, faults: [{ file, problem: 'it is missing' }] })
    expect((await verify('--read')).faults).toContainEqual({
      file: 'snapshot.squashfs.age',
      problem: 'its SHA-256 is not that of the record',
    })
  })

  it('is not for what is plain, or a proof', async () => {
    const plain = await aLedger({ major: anyMajor, rows: 1 })
    root = plain.root
    expect((await verify()).error).toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/ is plain: /),
    })
    expect((await verify('--prove')).error).toMatchObject({ code: 'usage' })
  })
})
