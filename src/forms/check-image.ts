import { lstatSync } from 'node:fs'
import { type LocalBackup, layoutOf, type SnapshotImage } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { imageFacts } from './make-image.js'

/**
 * The image of a packed backup, if it is there with all its bytes.
 * @throws {PgbkError} `damaged` when it is missing, is not a file, or has another size than the record says.
 */
export function imageOf(backup: LocalBackup, { bytes, uid, gid }: PackedFacts): SnapshotImage {
  const file = layoutOf(backup).image
  const found = lstatSync(file, { throwIfNoEntry: false })
  if (!found) throw damaged(backup, file, 'it is missing')
  if (!found.isFile()) throw damaged(backup, file, 'it is not a file')
  if (found.size !== bytes) throw damaged(backup, file, `it has ${found.size} bytes instead of ${bytes}`)
  return { file, uid, gid }
}

/** The same, if every byte of it is what the record tells of: all of it is read. @throws {PgbkError} `damaged`. */
export async function checkImageIs(
  backup: LocalBackup,
  context: Pick<Context, 'signal'>,
): Promise<SnapshotImage> {
  const { packed } = backup.summary
  if (!packed) throw new PgbkError('failed', `${backup.id} is not packed`)
  const image = imageOf(backup, packed)
  const { sha256 } = await imageFacts(image.file, context)
  if (sha256 === packed.sha256) return image
  throw damaged(backup, image.file, 'its SHA-256 is not that of the record')
}

function damaged({ id }: LocalBackup, path: string, reason: string): PgbkError {
  return new PgbkError('damaged', `snapshot.squashfs of backup ${id} is not what was packed: ${reason}`, {
    facts: { path, reason },
    hint: 'Was it copied by a program that was interrupted? Copy or download it again, or use another backup (pgbk list).',
  })
}
