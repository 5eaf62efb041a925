import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { StoredBackup } from '../../../src/catalog/backup.js'
import { recordOf } from '../../../src/catalog/backup.js'
import type { Identity } from '../../../src/context.js'
import { newIdentity } from '../../../src/encryption/new-identity.js'
import type { Place } from '../../../src/place/contract/place.js'
import { decryptingPlace } from '../../../src/place/encrypted/decrypting-place.js'
import { withWholeRecord } from '../../../src/place/encrypted/whole-record.js'
import type { BytePath } from '../../../src/system/paths/byte-path.js'
import { aContext, aRecord, thrownBy } from '../../catalog/samples.js'
import { alice, allOf, bob, sample } from '../../encryption/samples.js'
import { encryptedMemoryPlace } from '../../helpers/encrypted-place.js'
import type { StagedInMemory } from '../../helpers/memory-place.js'

const image = sample(200_000)
const sha256 = createHash('sha256').update(image).digest('hex')
const packed = { bytes: image.length, sha256, snapshot_bytes: 0, uid: 1, gid: 1 }
const contents = {
  'snapshot.squashfs': image,
  README: Buffer.from('read me'),
  'wal/00000002.history': Buffer.from('1'),
}

interface World {
  staged: StagedInMemory
  opened(...identities: Identity[]): Place
}

async function aWorld(recipients = [alice.recipient], changes: object = {}): Promise<World> {
  const inner = encryptedMemoryPlace(recipients)
  const staged = await inner.stage(new Date('2026-11-20T03:00:00Z'), {})
  for (const [name, bytes] of Object.entries(contents)) staged.files.set(name as BytePath, bytes)
  const record = aRecord({ format: 2, packed, id: staged.id, label: 'mine', ...changes })
  await inner.publish(staged, JSON.stringify(record), async () => {})
  const opened = (...identities: Identity[]) =>
    decryptingPlace(inner, aContext({ identities: async () => identities }))
  return { staged, opened }
}

const only = async (place: Place) => (await place.list()).backups[0] as StoredBackup
const read = (place: Place, backup: StoredBackup, name: string, from = 0, length?: number) =>
  place.read(backup, name as BytePath, { from, ...(length !== undefined && { length }) }, allOf)

describe('encrypted backups of a place', () => {
  it('are listed without a key, and nothing else', async () => {
    const { opened } = await aWorld()
    const place = opened()
    const backup = await only(place)
    expect(backup).toMatchObject({ form: 'encrypted', summary: { label: null } })
    expect((await place.files(backup)).files.sort()).toEqual(Object.keys(contents).sort())
    for (const ask of [() => withWholeRecord(place, backup), () => read(place, backup, 'README')])
      expect(await thrownBy(ask)).toMatchObject({
        code: 'config',
        message: expect.stringMatching(
          /\.age of backup \S+ in memory is encrypted, and no identity was given$/,
        ),
        hint: expect.stringContaining('the identity of age1zvkyg2lqzraa.'),
      })
  })

  it('are packed ones to who has a key', async () => {
    const { opened } = await aWorld()
    const place = opened(alice)
    const backup = await withWholeRecord(place, await only(place))
    expect(backup).toMatchObject({
      form: 'packed',
      summary: { label: 'mine', encrypted: { recipients: [alice.recipient] } },
    })
    expect(recordOf(backup).superuser).toBe('focker')
    for (const [name, bytes] of Object.entries(contents)) {
      expect((await read(place, backup, name)).equals(bytes)).toBe(true)
      expect((await read(place, backup, name, 3, 70_000)).equals(bytes.subarray(3, 70_003))).toBe(true)
    }
  })

  it('are read with the key of any of their recipients, and with no other', async () => {
    const [carol, eve] = [await newIdentity(), await newIdentity()]
    const { opened } = await aWorld([alice.recipient, bob.recipient, carol.recipient])
    for (const identity of [alice, bob, carol]) {
      const place = opened(eve, identity)
      expect((await read(place, await only(place), 'README')).toString()).toBe('read me')
    }
    const place = opened(eve)
    const error = await thrownBy(async () => read(place, await only(place), 'README'))
    expect(error).toMatchObject({
      code: 'config',
      message: expect.stringContaining(eve.recipient.slice(0, 16)),
    })
    for (const { recipient } of [alice, bob, carol]) expect(error.hint).toContain(recipient.slice(0, 16))
  })

  it.each([...Object.keys(contents), 'backup.json'])(
    'are damaged by a bit that is flipped in %s.age, by its name',
    async (name) => {
      const { opened, staged } = await aWorld()
      const bytes = staged.files.get(`${name}.age` as BytePath) as Buffer
      for (const at of [70, bytes.length - 1, Math.floor(bytes.length / 2)]) {
        bytes[at] = (bytes[at] ?? 0) ^ 4
        const place = opened(alice)
        const backup = await only(place)
        const error = await thrownBy(() =>
          name === 'backup.json' ? place.readRecord(backup) : read(place, backup, name),
        )
        expect(error).toMatchObject({
          code: 'damaged',
          message: expect.stringContaining(`${name}.age of backup ${backup.id} in memory is damaged: `),
        })
        bytes[at] = (bytes[at] ?? 0) ^ 4
      }
    },
  )

  it('are not what they tell in clear where their record is that of another', async () => {
    const [one, other] = [await aWorld(), await aWorld([alice.recipient], { stop_lsn: '0/3000200' })]
    const record = 'backup.json.age' as BytePath
    one.staged.files.set(record, other.staged.files.get(record) as Buffer)
    const place = one.opened(alice)
    const error = await thrownBy(async () => withWholeRecord(place, await only(place)))
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining('another stop_lsn') })
  })

  it.each([
    ['README.age', 'the record is unreadable: it is not JSON'],
    ['snapshot.squashfs.age', 'the record is unreadable: it is not JSON'],
  ])('with %s in the place of its record is named, with its place', async (other, reason) => {
    const { staged, opened } = await aWorld()
    staged.files.set('backup.json.age' as BytePath, staged.files.get(other as BytePath) as Buffer)
    const place = opened(alice)
    expect(await thrownBy(async () => withWholeRecord(place, await only(place)))).toMatchObject({
      code: 'damaged',
      message: `backup ${staged.id} in memory: ${reason}`,
      hint: expect.stringContaining('Choose another backup'),
    })
  })
})
