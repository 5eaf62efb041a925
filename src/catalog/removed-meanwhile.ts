import { statSync } from 'node:fs'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { type LocalBackup, layoutOf } from './backup.js'

/** A backup by its name and its place. */
export type BackupRef = Pick<LocalBackup, 'id' | 'directory'>

/**
 * Makes sure that nobody has begun to remove a backup: its record goes first of all. What was read of it before this is whole.
 * @throws {PgbkError} `not-found`.
 */
export function checkStillThere(backup: BackupRef, cause?: unknown): void {
  if (!isRemoved(backup)) return
  throw new PgbkError('not-found', `backup ${backup.id} was removed by another pgbk meanwhile`, {
    cause,
    hint: 'Choose another one (pgbk list).',
  })
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
