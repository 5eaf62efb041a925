import { statSync } from 'node:fs'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { Backup } from './catalog.js'

/** Whom the files of a snapshot belong to: PostgreSQL runs as nobody else. */
export interface Owner {
  uid: number
  gid: number
}

/**
 * The user whom a server on this backup runs as: the caller. Root has become the owner of the root directory by then.
 * @throws {PgbkError} `failed` when the files belong to somebody else.
 */
export function ownerOf({ layout, id }: Backup, context: Context): Owner {
  const { uid } = statSync(layout.data)
  const caller = context.user()
  if (caller.uid === uid) return { uid, gid: caller.gid }
  if (uid === 0)
    throw new PgbkError('failed', `backup ${id} belongs to root, and PostgreSQL does not run as root`, {
      hint: `Give it to an ordinary user:  chown -R postgres: ${layout.directory}`,
    })
  throw new PgbkError(
    'failed',
    `backup ${id} belongs to another user (uid ${uid}), and PostgreSQL runs only as the owner of its files`,
    { hint: 'Run pgbk as that user or as root, or get a copy of your own with pgbk download.' },
  )
}
