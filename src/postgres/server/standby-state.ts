import { count, isoTime } from '../../catalog/entries/record-fields.js'
import { v } from '../../schema.js'
import { formatAge, formatDuration, formatTimes } from '../../text/format.js'
import { jsonAnswer } from '../connection/json-answer.js'
import { type Psql, query } from '../connection/psql.js'
import { sql } from '../sql/sql.js'

const schema = v.object({
  /** By its own clock; the other times are by the primary's. */
  clock: isoTime,
  /** Whether WAL comes by streaming; all that a role without pg_monitor may know is that there is a receiver. */
  is_receiving: v.boolean(),
  /** It can read WAL with a restore_command. */
  reads_archive: v.boolean(),
  is_paused: v.boolean(),
  apply_delay_ms: count,
  /** Of the last transaction that it has replayed since it was started. */
  last_commit: v.nullable(isoTime),
  /** When the primary began the last checkpoint that it has replayed and used, to the second. */
  checkpoint: isoTime,
  /** When its primary last told it something, and it has now replayed all of which that told; null where that is not known. */
  caught_up: v.nullable(isoTime),
})

/** How far a standby is, and whether more comes. Times are ISO 8601 in UTC, to the microsecond. */
export type StandbyState = v.InferOutput<typeof schema>

/** Undefined for a server that is not, or no longer, a standby. @throws {PgbkError} `unreachable` or `refused`. */
export async function readStandbyState(psql: Psql): Promise<StandbyState | undefined> {
  const answer = (await query(psql, stateQuery)).trim()
  if (answer === '') return undefined
  return jsonAnswer(schema, answer)
}

/**
 * Only members of pg_read_all_stats see more of pg_stat_wal_receiver than its pid. A receiver to which nothing comes ends after
 * wal_receiver_timeout: so long ago, at most, its primary has last said something (src/backend/replication/walreceiver.c).
 */
const stateQuery = sql`
WITH position AS MATERIALIZED (
  SELECT pg_catalog.clock_timestamp() AS clock, pg_catalog.pg_last_wal_replay_lsn() AS replayed,
    pg_catalog.pg_last_wal_receive_lsn() AS received, pg_catalog.pg_last_xact_replay_timestamp() AS last_commit,
    CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_is_wal_replay_paused() END AS is_paused),
receiver AS (
  SELECT coalesce(status, 'streaming') = 'streaming' AS is_receiving,
    CASE WHEN status IS NULL AND timeout > 0 AND replayed >= received THEN clock - timeout * interval '1 millisecond'
      WHEN status = 'streaming' AND replayed >= latest_end_lsn THEN last_msg_send_time END AS caught_up
  FROM position, pg_catalog.pg_stat_wal_receiver,
    (SELECT pg_catalog.pg_size_bytes(setting) AS timeout FROM pg_catalog.pg_settings WHERE name = 'wal_receiver_timeout') AS t)
SELECT pg_catalog.jsonb_build_object(
  'clock', pg_catalog.to_char(clock AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'is_receiving', coalesce((SELECT is_receiving FROM receiver), false),
  'reads_archive', coalesce((SELECT setting <> '' FROM pg_catalog.pg_settings WHERE name = 'restore_command'), false),
  'is_paused', is_paused,
  'apply_delay_ms', (SELECT pg_catalog.pg_size_bytes(setting) FROM pg_catalog.pg_settings WHERE name = 'recovery_min_apply_delay'),
  'last_commit', pg_catalog.to_char(last_commit AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'checkpoint', (SELECT pg_catalog.to_char(checkpoint_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    FROM pg_catalog.pg_control_checkpoint()),
  'caught_up', (SELECT pg_catalog.to_char(caught_up AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM receiver)
) FROM position WHERE is_paused IS NOT NULL;
`

/** What a standby's data are as of now, as far as that is known. */
export function presentTime({ last_commit, caught_up, checkpoint }: StandbyState): string {
  const known = [last_commit, caught_up].filter((time) => time !== null)
  return known.sort().at(-1) ?? checkpoint
}

/** Behind by less is everyday. */
const mostBehindMs = 5 * 60_000

/** Why what is backed up is older than now, and how old; undefined where it is not. */
export function standbyWarning(state: StandbyState): string | undefined {
  const time = presentTime(state)
  const ageMs = Date.parse(state.clock) - Date.parse(time)
  const reason = reasonIn(state, ageMs)
  if (reason === undefined) return undefined
  const age = ageMs < 60_000 ? formatDuration(Math.max(0, ageMs)) : formatAge(ageMs)
  return `${reason}: its data are as of ${formatTimes(time)}, ${age} ago`
}

function reasonIn(state: StandbyState, ageMs: number): string | undefined {
  if (state.is_paused) return 'replay is paused on this standby (pg_wal_replay_resume() ends that)'
  if (state.apply_delay_ms > 0)
    return `this standby replays ${formatDuration(state.apply_delay_ms)} late (recovery_min_apply_delay)`
  if (!state.is_receiving && !state.reads_archive)
    return 'this standby receives no WAL: it is cut off from its primary (see primary_conninfo, and its log)'
  if (ageMs < mostBehindMs) return undefined
  return state.is_receiving
    ? 'this standby is behind its primary'
    : 'this standby reads WAL from an archive (restore_command), and has found nothing newer'
}
