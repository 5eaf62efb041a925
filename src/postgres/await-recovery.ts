import { setTimeout as sleep } from 'node:timers/promises'
import { parseLsn } from '../backup/lsn.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { Progress } from '../progress.js'
import { formatTime } from '../units.js'
import { lastLines } from './server-log.js'
import { connectSql, type SqlClient, type SqlTarget } from './sql-client.js'

export interface RecoveringServer {
  log: string
  /** Where it can perhaps be asked while it replays. */
  sql: SqlTarget
  hasEnded(): boolean
  /** Whether it takes queries; each that comes before is a line in its log. */
  answers(): boolean
  /** Whether its files say that recovery is over. */
  isOver(): boolean
}

/** From which LSN to which a recovery replays. */
export interface ReplayRange {
  startLsn: string
  endLsn: string
}

/** The state of a server that answered. */
interface Position {
  recovering: boolean
  paused: boolean
  /** LSN. */
  replayed: string | null
  /** The time of the last commit that was replayed, ISO 8601. */
  commit_time: string | null
}

/**
 * Waits until a server has ended its recovery: it answers queries long before, while it still replays. Says how far it is, if it
 * answers at all: the replayed WAL may hold that the role or the database is no more.
 * @returns the time of the last commit that was replayed, if there was any, ISO 8601 in UTC.
 * @throws {PgbkError} `failed` with the end of the log when the server ends before; the signal's reason when aborted.
 */
export async function awaitRecovery(
  server: RecoveringServer,
  range: ReplayRange | undefined,
  { signal, progress }: Context,
): Promise<string | null> {
  const show = replayProgress(range, progress)
  const asker = new Asker(server.sql)
  let commitTime: string | null = null
  try {
    for (;;) {
      signal.throwIfAborted()
      if (server.hasEnded()) throw endedEarly(server)
      const position = server.answers() ? await asker.ask() : undefined
      if (position?.commit_time) commitTime = position.commit_time
      if (isDone(position, server)) return commitTime
      if (position) show(position)
      await sleep(position ? 50 : 20)
    }
  } finally {
    await asker.end()
  }
}

function isDone(position: Position | undefined, server: RecoveringServer): boolean {
  return position ? !position.recovering || position.paused : server.isOver()
}

function endedEarly({ log }: RecoveringServer): PgbkError {
  return new PgbkError('failed', `the server ended before its recovery did (log: ${log})`, {
    hint: lastLines(log),
  })
}

/** Keeps a connection while there is one. */
class Asker {
  #client: SqlClient | undefined
  #isRefused = false

  constructor(readonly target: SqlTarget) {}

  /** Undefined while the server takes no such connection, or has just cut it. */
  async ask(): Promise<Position | undefined> {
    if (this.#isRefused) return undefined
    try {
      this.#client ??= await connectSql(this.target)
    } catch {
      this.#isRefused = true // each attempt would be a line in its log
      return undefined
    }
    try {
      const [row] = (await this.#client?.run(positionQuery)) ?? []
      return row as Position | undefined
    } catch {
      await this.end()
      return undefined
    }
  }

  async end(): Promise<void> {
    await this.#client?.end()
    this.#client = undefined
  }
}

const positionQuery = `
SELECT pg_is_in_recovery() AS recovering,
  CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS paused,
  pg_last_wal_replay_lsn()::text AS replayed,
  to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS commit_time`

function replayProgress(range: ReplayRange | undefined, progress: Progress): (position: Position) => void {
  const start = range && parseLsn(range.startLsn)
  const total = range && start !== undefined ? Number(parseLsn(range.endLsn) - start) : undefined
  return ({ replayed, commit_time }) => {
    if (replayed === null) return
    progress.step('replaying WAL')
    const done = start === undefined ? 0 : Math.max(0, Number(parseLsn(replayed) - start))
    progress.bytes(done, total, commit_time === null ? replayed : `at ${formatTime(commit_time)}`)
  }
}
