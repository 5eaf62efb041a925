import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.js'
import type { PgbkError } from '../errors.js'
import { serverFailure } from '../postgres/local/server-log.js'
import { connectToAny, type SqlClient, type SqlTarget } from '../postgres/local/sql-client.js'
import { sql } from '../postgres/sql/sql.js'
import type { Progress } from '../progress.js'
import { formatTime } from '../text/format.js'
import type { Instant } from '../text/instant.js'
import { parseLsn } from '../wal-segments/lsn.js'

export interface RecoveringServer {
  log: string
  /** Where it can perhaps be asked while it replays; the databases are tried in turn, one may come or go meanwhile. */
  sql: Omit<SqlTarget, 'database'> & { databases: string[] }
  hasEnded(): boolean
  /** Whether it takes queries, where that can be seen from here; each that comes before is a line in its log. */
  answers?(): boolean
  /** Whether its files say that recovery is over; undefined where they cannot be seen from here, and it must be asked. */
  isOver?(): boolean
}

/** From which LSN to which a recovery replays. */
export interface ReplayRange {
  startLsn: string
  endLsn: string
  /** When the transaction was ended whose end is the last record; PostgreSQL does not count it when it stops there. */
  lastCommit?: Instant | undefined
}

/** Where a recovery has ended, or paused. */
export interface RecoveryResult {
  /** When the last transaction was committed that was replayed; undefined when there was none. */
  commitTime: Instant | undefined
  /** The end of the last record that was replayed. */
  lsn: string | undefined
  paused: boolean
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
 * @returns what was reached.
 * @param mayPause whether it is to pause at its end, and not before.
 * @throws {PgbkError} `failed` with the end of the log when the server ends, or pauses, before; the signal's reason when aborted.
 */
export async function awaitRecovery(
  server: RecoveringServer,
  range: ReplayRange | undefined,
  { mayPause }: { mayPause: boolean },
  { signal, progress }: Context,
): Promise<RecoveryResult> {
  const show = replayProgress(range, progress)
  const asker = new Asker(server.sql, server.isOver !== undefined)
  try {
    for (;;) {
      signal.throwIfAborted()
      if (server.hasEnded()) throw endedEarly(server)
      const position = await positionOf(server, asker)
      if (position?.paused && !mayPause) throw pausedByItself(server)
      if (isOver(server, position)) return resultAt((await asker.ask()) ?? position, range)
      if (position) show(position)
      await sleep(position ? 50 : 20)
    }
  } finally {
    await asker.end()
  }
}

async function positionOf(server: RecoveringServer, asker: Asker): Promise<Position | undefined> {
  return server.answers?.() === false ? undefined : asker.ask()
}

function resultAt(last: Position | undefined, range: ReplayRange | undefined): RecoveryResult {
  return {
    commitTime: range?.lastCommit ?? last?.commit_time ?? undefined,
    lsn: last?.replayed ?? undefined,
    paused: last?.recovering ?? false,
  }
}

/** What the server says counts; its files, where it lets nobody in. */
function isOver(server: RecoveringServer, position: Position | undefined): boolean {
  if (position) return !position.recovering || position.paused
  return server.isOver?.() ?? false
}

function endedEarly({ log }: RecoveringServer): PgbkError {
  return serverFailure(`the server ended before its recovery did (log: ${log})`, log)
}

/** From version 14 on a recovery that needs higher settings (max_connections ...) waits for somebody who raises them. */
function pausedByItself({ log }: RecoveringServer): PgbkError {
  return serverFailure(`the server has paused its recovery before the end (log: ${log})`, log)
}

/** Keeps a connection while there is one. */
class Asker {
  #client: SqlClient | undefined
  #isRefused = false

  /** @param mayBeRefused whether the caller gets on without an answer. */
  constructor(
    readonly target: RecoveringServer['sql'],
    readonly mayBeRefused: boolean,
  ) {}

  /** Undefined while the server takes no such connection, or has just cut it. */
  async ask(): Promise<Position | undefined> {
    if (this.#isRefused) return undefined
    try {
      this.#client ??= await connectToAny(this.target, this.target.databases)
    } catch (error) {
      if (!this.mayBeRefused) throw error
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

const positionQuery = sql`
SELECT pg_catalog.pg_is_in_recovery() AS recovering,
  CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END AS paused,
  nullif(pg_catalog.concat(pg_catalog.pg_last_wal_replay_lsn()), '') AS replayed,
  pg_catalog.to_char(pg_catalog.pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS commit_time`

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
