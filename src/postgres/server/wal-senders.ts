import { setTimeout as sleep } from 'node:timers/promises'
import { type Psql, query } from '../connection/psql.js'
import { sql } from '../sql/sql.js'

/**
 * Ends the WAL senders that an aborted create has left on the server, known by their application_name alone. They outlive
 * their client while a checkpoint is awaited; their temporary slots go with them. A role may end its own connections.
 * @returns how many are still there after five seconds; 0 when all is clean.
 * @throws {PgbkError} when the server cannot be asked.
 */
export async function endWalSenders(psql: Psql, applicationName: string): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const answer = await query(psql, terminate, { values: { application_name: applicationName } })
    const left = Number(answer)
    if (left === 0 || attempt === 25) return left
    await sleep(200)
  }
}

const terminate = sql`SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'walsender' AND application_name = :'application_name';`

/** What a WAL sender of this create waits for, as in pg_stat_activity (`CheckpointDone`, `BackupWaitWalArchive`), if it waits. */
export async function waitEventOf(psql: Psql, applicationName: string): Promise<string | undefined> {
  const answer = await query(psql, waitEvent, { values: { application_name: applicationName } })
  return answer.trim() || undefined
}

const waitEvent = sql`SELECT wait_event FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'walsender' AND application_name = :'application_name'
  AND wait_event IN ('CheckpointDone', 'CheckpointStart', 'BackupWaitWalArchive') LIMIT 1;`
