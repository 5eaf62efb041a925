import { lstatSync, statSync } from 'node:fs'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { lookAtNote } from '../system/files/read-note.js'
import { lifeOf, markSchema } from '../system/process/process-mark.js'
import { type LocalBackup, layoutOf, plainSnapshotOf, type ReadableBackup } from './backup.js'

/** A backup by its name and its place, and how it was found there. */
export type BackupRef = Pick<LocalBackup, 'id' | 'directory'> &
  Partial<Pick<ReadableBackup, 'form' | 'isLost'>>

/**
 * Makes sure that nobody has begun to remove a backup: its record goes first of all; nor to give it its other form. What was read of it
 * before this is whole.
 * @throws {PgbkError} `not-found`; `failed` when its files have to be looked for again, or can no longer be read.
 */
export function checkStillThere(backup: BackupRef, cause?: unknown): void {
  const { id } = backup
  if (isRemoved(backup))
    throw new PgbkError('not-found', `backup ${id} was removed by another pgbk meanwhile`, {
      cause,
      hint: 'Choose another one (pgbk list).',
    })
  if (isChanging(backup))
    throw new PgbkError('failed', `backup ${id} is given its other form by another pgbk at this moment`, {
      cause,
      hint: 'Try again: it is there in the one form or the other.',
    })
  checkNotLost(backup, cause)
}

/** Makes sure that what serves the files of an image has not ended. @throws {PgbkError} `failed`. */
function checkNotLost({ id, isLost }: Pick<BackupRef, 'id' | 'isLost'>, cause: unknown): void {
  if (!isLost?.()) return
  throw new PgbkError('failed', `the snapshot of ${id} can no longer be read: squashfuse was ended`, {
    cause,
    hint: 'Nothing is wrong with the backup. Who ended it, and was there too little memory? Try again.',
  })
}

/** Works on an image that is mounted and has no place in a root yet: what ends that is no damage. @throws {PgbkError} `failed` then. */
export async function unlessLost<T>(
  backup: Pick<BackupRef, 'id' | 'isLost'>,
  { signal }: Pick<Context, 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    signal.throwIfAborted()
    checkNotLost(backup, cause)
    throw cause
  }
}

/** Whether its files are no longer where they were found, or will not be in a moment. */
function isChanging(backup: BackupRef): boolean {
  const { form } = backup
  if (form === undefined) return false
  const { formMarker, image } = layoutOf(backup)
  const isThere = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined
  try {
    const [here, other] = [plainSnapshotOf(backup).snapshot, image]
    if (form === 'plain' ? !isThere(here) && isThere(other) : !isThere(other) && isThere(here)) return true
    // What a killed one has left means nothing.
    const mark = isThere(formMarker) ? lookAtNote(markSchema, formMarker).value : undefined
    return mark !== undefined && lifeOf(mark) === 'alive'
  } catch {
    return false
  }
}

/** Whether somebody has begun to. Who may not look there, perhaps because it works as another user by now, does not know. */
export function isRemoved(backup: Pick<LocalBackup, 'directory'>): boolean {
  try {
    return statSync(layoutOf(backup).record, { throwIfNoEntry: false }) === undefined
  } catch {
    return false
  }
}

/**
 * Works on a backup that a delete or prune may remove at any moment: that is then the reason why the work has failed. Where it
 * might not notice, it has to `checkStillThere` at its end.
 * @throws {PgbkError} `not-found`; the signal's reason when aborted.
 */
export async function unlessRemoved<T>(
  backup: BackupRef,
  { signal }: Pick<Context, 'signal'>,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    signal.throwIfAborted()
    checkStillThere(backup, cause)
    throw cause
  }
}
