import { isDeepStrictEqual } from 'node:util'
import { type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { imageObstacles } from '../forms/image-obstacles.js'
import { findVerifier, type Verifier, verifySnapshot } from '../postgres/programs/check-backup.js'
import type { Installation } from '../postgres/programs/find.js'
import { installHint } from '../postgres/programs/install-hint.js'
import { checkComplete } from '../snapshot/completeness.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'

/** What reads all of a snapshot in its other form. @throws {PgbkError} `programs-missing`: the old form would go on trust. */
export function neededVerifier(major: number, installations: Installation[]): Verifier {
  const verifier = findVerifier(major, installations)
  if (verifier) return verifier
  throw new PgbkError('programs-missing', `pg_verifybackup ${major} or newer is not installed here`, {
    hint: `Without it nothing tells whether the other form is whole. It comes with the server programs of PostgreSQL:\n${installHint(major)}`,
  })
}

/** Makes sure that snapshots can be packed here, before there is one. @throws {PgbkError} `programs-missing`. */
export function checkPackable(major: number, installations: Installation[], context: Context): void {
  neededVerifier(major, installations)
  const { making, mounting } = imageObstacles(context)
  const [lack] = [...making, ...mounting]
  if (lack === undefined) return
  throw new PgbkError('programs-missing', `backups cannot be packed here: ${lack}`, {
    hint: 'It takes squashfs-tools, squashfuse and /dev/fuse:  apt-get install squashfs-tools squashfuse',
  })
}

/**
 * Makes sure that a snapshot in its other form is what it was: every file of the server by pg_verifybackup, which reads all of it, the
 * names and links, and pgbk's own files by their checksums.
 * @param own the checksums of those (`pgbkFileChecksums`) in the form that there is.
 * @throws {PgbkError} `damaged`.
 */
export async function checkCopyOfSnapshot(
  copy: ReadableBackup,
  own: Record<string, string>,
  verifier: Verifier,
  { env, signal }: Context,
): Promise<void> {
  await verifySnapshot(verifier, copy.snapshot, { env, signal })
  await checkComplete(copy, signal)
  if (isDeepStrictEqual(pgbkFileChecksums(snapshotOf(copy)), own)) return
  throw new PgbkError('damaged', `conf/ of ${copy.id} is not the same in its other form`, {
    hint: 'Nothing was changed. Look at the disk under the root.',
  })
}
