import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { type Psql, query } from '../../postgres/connection/psql.js'
import { sql } from '../../postgres/sql/sql.js'

/** By the server's clock: that is the one of the commits' times. */
export interface CopyTimes {
  /** The end of the snapshot: it has what was committed before. */
  endedAt: Date
  /** When pg_basebackup had ended, or a little later. */
  serverTime: Date
}

/**
 * To be asked right after pg_basebackup has ended. The server sends the manifest when the snapshot ends; after that all files are
 * flushed to disk, which may take a while.
 */
export async function endOfCopy(psql: Psql, { data }: BackupLayout, { now }: Context): Promise<CopyTimes> {
  const milliseconds = await query(psql, serverTimeQuery)
  const serverTime = Number(milliseconds)
  const { mtimeMs } = await stat(join(data, 'backup_manifest'))
  const flushing = Math.max(0, now().getTime() - mtimeMs)
  return { serverTime: new Date(serverTime), endedAt: new Date(serverTime - flushing) }
}

const serverTimeQuery = sql`SELECT pg_catalog.ceil(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint;`
