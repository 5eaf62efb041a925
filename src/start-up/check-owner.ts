import { statSync } from 'node:fs'
import { type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'

/** @throws {PgbkError} `failed` when `ownerFault` finds something. */
export function checkOwner(backup: ReadableBackup, context: Context): void {
  const fault = ownerFault(backup, context)
  if (fault) throw fault
}

/**
 * Why no server of the caller's can run on the files of this backup, or copies of them: PostgreSQL runs only as the owner of its
 * files. Root has become the owner of the root directory by then.
 */
export function ownerFault(backup: ReadableBackup, context: Context): PgbkError | undefined {
  const { id, directory } = backup
  const { uid } = statSync(snapshotOf(backup).data)
  const caller = context.user()
  if (caller.uid === uid) return undefined
  if (uid === 0)
    return new PgbkError('failed', `backup ${id} belongs to root, and PostgreSQL does not run as root`, {
      hint: `Give it to an ordinary user:  chown -R postgres: ${directory}`,
    })
  return new PgbkError(
    'failed',
    `backup ${id} belongs to another user (uid ${uid}), and PostgreSQL runs only as the owner of its files`,
    { hint: 'Run pgbk as that user or as root, or get a copy of your own with pgbk download.' },
  )
}
