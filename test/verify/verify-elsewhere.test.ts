import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { clearRecordOf, type EncryptedFacts } from '../../src/catalog/entries/clear-record.js'
import type { RootLayout } from '../../src/catalog/layout.js'
import type { Settings } from '../../src/config/load.js'
import type { Identity } from '../../src/context.js'
import { silentProgress } from '../../src/progress.js'
import { verifyElsewhere } from '../../src/verify/verify-elsewhere.js'
import { aBackup, aContext, anEmptyRoot, aRecord, thrownBy } from '../catalog/samples.js'
import { alice, bob, sample } from '../encryption/samples.js'
import { encrypt } from '../helpers/encrypted-place.js'
import { aDirectory } from '../helpers/places.js'

const [first, second, third] = ['20261120T030000Z', '20261121T030000Z', '20261122T030000Z'] as const
const image = sample(200_000)
const sha256 = createHash('sha256').update(image).digest('hex')
const packed = { bytes: image.length, sha256, snapshot_bytes: 40_000_000, uid: 1, gid: 1 }

let root: RootLayout
let cache: string
let said: string[]
beforeEach(() => {
  root = anEmptyRoot()
  cache = aDirectory('pgbk-cache-')
  said = []
})

const at = (id: string, name: string) => join(root.backup(id), name)

/** Small segments, so that the tests are quick. */
function put(id: string, files: Record<string, Buffer>): void {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(at(id, name)), { recursive: true })
    writeFileSync(at(id, name), bytes)
  }
}

const recordOf = (id: string) =>
  aRecord({ format: 2, id, packed, wal_segment_size: 1 << 20, start_lsn: '0/300028', stop_lsn: '0/300100' })
const contentsOf = (id: string) => ({
  'backup.json': Buffer.from(JSON.stringify(recordOf(id))),
  README: Buffer.from('read me'),
  'snapshot.squashfs': image,
  'wal/000000010000000000000003': Buffer.alloc(1 << 20),
})

function aPackedBackup(id: string): void {
  put(id, contentsOf(id))
}

async function anEncryptedBackup(id: string, recipient = alice.recipient): Promise<void> {
  const files: EncryptedFacts['files'] = {}
  for (const [name, bytes] of Object.entries(contentsOf(id))) {
    const encrypted = await encrypt(bytes, [recipient])
    put(id, { [`${name}.age`]: encrypted })
    const hash = createHash('sha256').update(encrypted).digest('hex')
    if (!name.startsWith('wal/')) files[`${name}.age`] = { bytes: encrypted.length, sha256: hash }
  }
  const facts = { recipients: [recipient], image_bytes: image.length, snapshot_bytes: 40_000_000, files }
  const clear = clearRecordOf(recordOf(id), facts)
  put(id, { README: Buffer.from('Encrypted.'), 'backup.json': Buffer.from(JSON.stringify(clear)) })
}

function flip(id: string, name: string): void {
  const bytes = readFileSync(at(id, name))
  const where = bytes.length - 20
  bytes.writeUInt8((bytes[where] ?? 0) ^ 1, where)
  writeFileSync(at(id, name), bytes)
}

interface Wanted {
  read?: boolean
  keys?: Identity[]
  /** Called at each step. */
  meanwhile?: (step: string) => void
}

async function verify(id?: string, { read = false, keys = [], meanwhile = () => {} }: Wanted = {}) {
  const progress = { ...silentProgress, step: meanwhile, warn: (text: string) => void said.push(text) }
  const context = aContext({
    progress,
    env: { PATH: process.env.PATH, XDG_CACHE_HOME: cache },
    identities: async () => keys,
  })
  const settings = { root: '/nowhere', stores: {} } as unknown as Settings
  const { checks, leftOut } = await verifyElsewhere(
    id,
    { all: id === undefined, read, from: root.root },
    { settings, context },
  )
  const faults = (of: (typeof checks)[number]) => of.faults.map(({ file, problem }) => `${file}: ${problem}`)
  return { found: Object.fromEntries(checks.map((one) => [one.id, faults(one)])), leftOut }
}

describe('all backups of a place', () => {
  it('have a fault where a record is none, and the others are looked at', async () => {
    aPackedBackup(first)
    aPackedBackup(second)
    writeFileSync(at(second, 'backup.json'), '{"id"')
    const { found } = await verify()
    expect(found).toEqual({ [first]: [], [second]: [expect.stringMatching(/^backup\.json: .*unreadable/)] })
    expect((await verify(second)).found).toEqual({ [second]: [expect.stringMatching(/^backup\.json: /)] })
  })

  it('are not found where there are none', async () => {
    expect(await thrownBy(() => verify())).toMatchObject({
      code: 'not-found',
      message: `there is no backup in ${root.root}`,
    })
  })

  it('are warned of where they are plain, and fail where no other is there', async () => {
    aBackup(root, first)
    expect(await thrownBy(() => verify())).toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^no backup in .* could be verified from here: .* is plain/),
    })
    aPackedBackup(second)
    said = []
    expect(await verify()).toMatchObject({ found: { [second]: [] }, leftOut: [{ id: first }] })
    expect(said).toEqual([expect.stringMatching(new RegExp(`^${first} was not looked at: .* is plain`))])
  })

  it('are left out where they go meanwhile, and a single file that goes is a fault', async () => {
    for (const id of [first, second]) aPackedBackup(id)
    const goes = (work: () => void) =>
      verify(undefined, { meanwhile: (step) => step === `verifying ${second}` && work() })
    expect((await goes(() => rmSync(at(second, '.'), { recursive: true }))).found).toEqual({ [first]: [] })
    aPackedBackup(second)
    expect((await goes(() => rmSync(at(second, 'snapshot.squashfs')))).found[second]).toEqual([
      'snapshot.squashfs: it is missing',
    ])
  })
})

describe('all encrypted backups of a place, read with a key', () => {
  beforeEach(async () => {
    for (const id of [first, second, third]) await anEncryptedBackup(id)
  })
  const read = (keys = [alice]) => verify(undefined, { read: true, keys })

  it.each(['snapshot.squashfs.age', 'backup.json.age', 'README.age', 'wal/000000010000000000000003.age'])(
    'are all looked at where a bit has flipped in %s of one of them',
    async (name) => {
      flip(second, name)
      const { found } = await read()
      expect(Object.keys(found).sort()).toEqual([first, second, third])
      const all = (found[second] ?? []).join('\n')
      expect(all).toMatch(name.startsWith('wal/') ? /^wal: .*damaged/m : /SHA-256|damaged|chunk/)
      const others = [...(found[first] ?? []), ...(found[third] ?? [])]
      expect(others.filter((one) => /SHA-256|damaged|chunk|missing/.test(one))).toEqual([])
    },
  )

  it('are not what their records in clear say, where another record lies there', async () => {
    copyFileSync(at(first, 'backup.json.age'), at(second, 'backup.json.age'))
    const record = JSON.parse(readFileSync(at(second, 'backup.json'), 'utf8'))
    const other = JSON.parse(readFileSync(at(first, 'backup.json'), 'utf8'))
    record.encrypted.files['backup.json.age'] = other.encrypted.files['backup.json.age']
    writeFileSync(at(second, 'backup.json'), JSON.stringify(record))
    expect((await verify(second, { keys: [alice] })).found[second]).toEqual([
      `backup.json.age: its record is that of ${first}`,
    ])
  })

  it('are named where the key is none for them', async () => {
    await anEncryptedBackup(third, bob.recipient)
    const { found, leftOut } = await verify(undefined, { keys: [alice] })
    expect(Object.keys(found).sort()).toEqual([first, second])
    expect(leftOut).toMatchObject([{ id: third, reason: expect.stringContaining('is encrypted') }])
    expect(said).toEqual([expect.stringContaining(`${third} was not looked at: `)])
  })
})
