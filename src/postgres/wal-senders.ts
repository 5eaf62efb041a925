import { setTimeout as sleep } from 'node:timers/promises'
import { type Psql, query } from './psql.js'

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

/**
 * Ends the WAL senders that an aborted create has left on the server, known by their application_name alone. They outlive
 * their client while a checkpoint is awaited; their temporary slots go with them. A role may end its own connections.
 * @returns how many are still there after five seconds; 0 when all is clean.
 * @throws {PgbkError} when the server cannot be asked.
 */
export async function endWalSenders(psql: Psql, applicationName: string): Promise<number> {
  const mine = `backend_type = 'walsender' AND application_name = ${literal(applicationName)}`
  for (let attempt = 0; ; attempt++) {
    const answer = await query(
      psql,
      `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE ${mine};`,
    )
    const left = Number(answer)
    if (left === 0 || attempt === 25) return left
    await sleep(200)
  }
}

/** What a WAL sender of this create waits for, as in pg_stat_activity (`CheckpointDone`, `BackupWaitWalArchive`), if it waits. */
export async function waitEventOf(psql: Psql, applicationName: string): Promise<string | undefined> {
  const answer = await query(
    psql,
    `SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'walsender' AND application_name = ${literal(applicationName)}
     AND wait_event IN ('CheckpointDone', 'CheckpointStart', 'BackupWaitWalArchive') LIMIT 1;`,
  )
  return answer.trim() || undefined
}
