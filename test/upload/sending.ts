import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type LocalBackup, storedBackup } from '../../src/catalog/backup.js'
import { backupFiles } from '../../src/catalog/layout.js'
import { summarize } from '../../src/catalog/record.js'
import type { Identity } from '../../src/context.js'
import { openEncrypted } from '../../src/encryption/open-encrypted.js'
import { PgbkError } from '../../src/errors.js'
import { directoryStore } from '../../src/place/store/directory-store.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { storePlace } from '../../src/place/store/store-place.js'
import type { OpenStore } from '../../src/upload/open-stores.js'
import type { PackedForm } from '../../src/upload/packed-form.js'
import { sendBackup } from '../../src/upload/send-backup.js'
import { encryptedWrapping } from '../../src/upload/wrapping/encrypted-wrapping.js'
import { plainWrapping } from '../../src/upload/wrapping/wrapping.js'
import { aBackup, aContext, anEmptyRoot, aRecord } from '../catalog/samples.js'
import { allOf, sample, withIdentities } from '../encryption/samples.js'
import { aDirectory } from '../helpers/places.js'

export const context = aContext({ tickMs: 1 })
export const imageBytes = sample(300_000)

/** A backup of a root, its packed form, and the directory of its upload: all that is to be sent. */
export function aPackedBackup(id = '20261120T030000Z', root = anEmptyRoot()) {
  const sha256 = createHash('sha256').update(imageBytes).digest('hex')
  const packed = { bytes: imageBytes.length, sha256, snapshot_bytes: 400_000, uid: 1, gid: 1 }
  const record = JSON.stringify(aRecord({ id, format: 2, packed }))
  const { directory, ...files } = aBackup(root, id)
  writeFileSync(files.record, record)
  writeFileSync(files.image, imageBytes)
  writeFileSync(files.imageReadme, 'readme')
  const aside = backupFiles(root.upload(id))
  mkdirSync(aside.directory)
  const form: PackedForm = {
    record: Buffer.from(record),
    packed,
    image: files.image,
    readme: files.imageReadme,
    damaged: async () => new PgbkError('damaged', 'the image is damaged'),
  }
  const backup: LocalBackup = { ...storedBackup(summarize(record), 'whole'), directory }
  return { backup, form, aside }
}

/** A store in a new directory, as it is open for who sends to it. */
export function aDirectoryStore(directory = aDirectory()) {
  const objects = directoryStore(directory, context)
  return {
    directory,
    objects,
    /** The same, with recipients or without, as others see it. */
    openFor: (recipients: string[], seen: ObjectStore = objects): OpenStore => ({
      name: 'far',
      asNamed: directory,
      mayRead: true,
      walSent: undefined,
      objects: seen,
      place: storePlace(seen, context),
      wrapping: recipients.length > 0 ? encryptedWrapping(recipients) : plainWrapping,
      recipients,
    }),
  }
}

export function send(
  what: ReturnType<typeof aPackedBackup>,
  store: OpenStore,
  check: () => Promise<void> = async () => {},
) {
  return sendBackup({ ...what, store, check }, context)
}

/** The same store, until a key whose name ends so is sent: then that fails, as if the upload was killed. */
export function failingAt(store: ObjectStore, ending: string): ObjectStore {
  return {
    ...store,
    async send(key, what, onBytes) {
      if (key.endsWith(ending)) throw new PgbkError('unreachable', `${key} cannot be sent`)
      return store.send(key, what, onBytes)
    },
  }
}

export async function keysThere(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key.replace(/^data\/backup\/[^/]*\//, ''))
  return keys.sort()
}

/** What somebody with a key reads of an encrypted object. @throws {PgbkError} `failed` where it is not for that. */
export async function decrypted(store: ObjectStore, key: string, identity: Identity): Promise<Buffer> {
  const read = await openEncrypted(
    (range, take) => store.read(key, range, take),
    withIdentities([identity]),
    key,
  )
  return read({ from: 0 }, allOf)
}
