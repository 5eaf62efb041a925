import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type LocalBackup, layoutOf, recordOf, recordToPack, unpackedRecord } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { BackupFiles } from '../catalog/layout.js'
import { majorOf, type ReadRecord, readRecord } from '../catalog/record.js'
import { unlessRemoved } from '../catalog/removed-meanwhile.js'
import type { Task } from '../config/load.js'
import { withEnds } from '../context.js'
import { PgbkError } from '../errors.js'
import { imageOf } from '../forms/check-image.js'
import { materialise } from '../forms/materialise.js'
import { neededVerifier } from '../packing/check-copy-of-snapshot.js'
import { packSnapshot } from '../packing/pack-snapshot.js'
import { findInstallations } from '../postgres/programs/find.js'
import { writeDurably } from '../system/files/durable.js'
import { mostBytes, readSmall } from '../system/files/read-small.js'
import { removeContents } from '../system/files/remove-tree.js'

/** A backup as it goes to a store: packed, whatever form it has here. */
export interface PackedForm {
  /** The bytes of its record. */
  record: Buffer
  packed: PackedFacts
  /** The paths of its image, and of the README that says what to do with it. */
  image: string
  readme: string
  /** What to throw when the image is not what the record tells of: what was made of it to be sent is thrown away. */
  damaged(): Promise<PgbkError>
}

/**
 * The packed form of a backup, which keeps its own. What is plain is packed in a directory beside it, unless an earlier upload has done
 * that, and pg_verifybackup reads all of it.
 * @throws {PgbkError} as `packSnapshot`.
 */
export async function packedFormOf(backup: LocalBackup, aside: BackupFiles, task: Task): Promise<PackedForm> {
  const { packed } = backup.summary
  if (packed) {
    imageOf(backup, packed)
    const { image, imageReadme, record } = layoutOf(backup)
    return {
      record: readSmall(record, mostBytes.record),
      packed,
      image,
      readme: imageReadme,
      damaged: () =>
        damagedImage(image, aside, 'Was it copied by a program that was interrupted? Use another backup.'),
    }
  }
  const earlier = madeEarlier(backup, aside)
  if (earlier) {
    task.context.progress.say(`an earlier upload has packed ${backup.id} already`)
    return earlier
  }
  await clear(aside)
  await pack(backup, aside, task)
  const made = madeEarlier(backup, aside)
  if (made) return made
  throw new PgbkError('failed', `the packed form of ${backup.id} has gone from ${aside.directory}`)
}

async function clear(aside: BackupFiles): Promise<void> {
  await removeContents(aside.directory, [basename(aside.uploadLock), basename(aside.uploadMarker)])
}

async function pack(backup: LocalBackup, aside: BackupFiles, { settings, context }: Task): Promise<void> {
  await unlessRemoved(backup, context, () =>
    withEnds(context, async (own) => {
      const plain = await materialise(backup, own)
      const verifier = neededVerifier(
        majorOf(recordOf(backup)),
        await findInstallations(settings.bin_dir, own),
      )
      const record = await packSnapshot(plain, aside, verifier, own)
      // Last of all: its presence means that the image is whole.
      await writeDurably(aside.record, `${JSON.stringify(record, undefined, 2)}\n`)
    }),
  )
}

/** What an upload has packed, where that is this backup as it is now. */
function madeEarlier(backup: LocalBackup, aside: BackupFiles): PackedForm | undefined {
  if (!existsSync(aside.record) || !existsSync(aside.image)) return undefined
  const read = readRecord(aside.record)
  const { packed } = read.summary
  if (!packed || !isOf(backup, read)) return undefined
  return {
    record: readSmall(aside.record, mostBytes.record),
    packed,
    image: aside.image,
    readme: aside.imageReadme,
    damaged: () =>
      damagedImage(
        aside.image,
        aside,
        'It was removed, and is packed anew the next time. Look at the disk under the root.',
      ),
  }
}

function isOf(backup: LocalBackup, packed: ReadRecord): boolean {
  return isDeepStrictEqual(unpackedRecord(packed), recordToPack(backup))
}

async function damagedImage(image: string, aside: BackupFiles, hint: string): Promise<PgbkError> {
  await clear(aside)
  return new PgbkError('damaged', `${image} is not what was packed: its SHA-256 is not that of the record`, {
    hint,
  })
}
