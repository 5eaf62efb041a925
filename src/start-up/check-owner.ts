import { statSync } from 'node:fs'
import { type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'

/**
 * Checks that a server can run on this backup: PostgreSQL runs only as the owner of its files. Root has become the owner of the root
 * directory by then.
 * @throws {PgbkError} `failed` when the files belong to somebody else.
 */
export function checkOwner(backup: ReadableBackup, context: Context): void {
  const { id, directory } = backup
  const { uid } = statSync(snapshotOf(backup).data)
  const caller = context.user()
  if (caller.uid === uid) return
  if (uid === 0)
    throw new PgbkError('failed', `backup ${id} belongs to root, and PostgreSQL does not run as root`, {
      hint: `Give it to an ordinary user:  chown -R postgres: ${directory}`,
    })
  throw new PgbkError(
    'failed',
    `backup ${id} belongs to another user (uid ${uid}), and PostgreSQL runs only as the owner of its files`,
    { hint: 'Run pgbk as that user or as root, or get a copy of your own with pgbk download.' },
  )
}
