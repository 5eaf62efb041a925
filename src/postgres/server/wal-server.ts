import { PgbkError } from '../../errors.js'
import { v } from '../../schema.js'
import { jsonAnswer } from '../connection/json-answer.js'
import { type Psql, query, queryWithPlace } from '../connection/psql.js'
import type { ServerPlace } from '../connection/server-place.js'
import { sql } from '../sql/sql.js'

/** A physical replication slot, as pg_replication_slots shows it. */
const slotSchema = v.object({
  name: v.string(),
  slot_type: v.string(),
  active: v.boolean(),
  active_pid: v.nullable(v.number()),
  /** From here on the server keeps WAL for it. With pg_receivewal --synchronous this is what has been flushed on the other side. */
  restart_lsn: v.nullable(v.string()),
  /** `reserved`, `extended`, `unreserved`, `lost`. */
  wal_status: v.nullable(v.string()),
  /** Bytes of WAL from there to the server's end. */
  retained_bytes: v.nullable(v.number()),
})

export type SlotFacts = v.InferOutput<typeof slotSchema>

const schema = v.object({
  system_identifier: v.string(),
  version: v.string(),
  version_num: v.number(),
  role: v.string(),
  role_can_replicate: v.boolean(),
  in_recovery: v.boolean(),
  wal_segment_size: v.number(),
  timeline: v.pipe(
    v.string(),
    v.transform((digits) => Number.parseInt(digits, 16)),
  ),
  /** The end of the WAL that it has on its disk. */
  lsn: v.string(),
  /**
   * A time and the position by which all that was committed until then is in the WAL. A standby knows only when the last
   * transaction that it has replayed was committed, if any.
   */
  as_of: v.nullable(v.object({ time: v.string(), lsn: v.string() })),
  /** MB, or -1: a slot may keep any amount of WAL. */
  max_slot_wal_keep_size: v.number(),
  max_replication_slots: v.number(),
  replication_slots: v.number(),
  slot: v.nullable(slotSchema),
})

/** What a receiver asks its server, again and again. Much less than `ServerFacts`, which measures every database. */
export interface WalServerFacts extends v.InferOutput<typeof schema>, ServerPlace {}

/** @throws {PgbkError} `unreachable` or `refused`. */
export async function askWalServer(psql: Psql, slot: string): Promise<WalServerFacts> {
  const { answer, ...place } = await queryWithPlace(psql, walServerQuery, { values: { slot } })
  return { ...jsonAnswer(schema, answer), ...place }
}

/**
 * The end of the WAL is asked for once, so that everything else is compared with the same position. Texts become numbers by
 * functions: a cast can be somebody's own.
 */
const walServerQuery = sql`
WITH wal AS MATERIALIZED (
  SELECT pg_catalog.clock_timestamp() AS time, recovery,
    CASE WHEN recovery THEN greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
      ELSE pg_catalog.pg_current_wal_flush_lsn() END AS lsn,
    CASE WHEN recovery THEN pg_catalog.pg_last_wal_replay_lsn() END AS replayed,
    CASE WHEN recovery THEN pg_catalog.pg_last_xact_replay_timestamp() END AS replayed_time
  FROM pg_catalog.pg_is_in_recovery() AS recovery),
of_time AS (
  SELECT wal.*, CASE WHEN recovery THEN replayed ELSE lsn END AS as_of_lsn,
    pg_catalog.to_char(CASE WHEN recovery THEN replayed_time ELSE time END AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS as_of_time
  FROM wal)
SELECT pg_catalog.jsonb_build_object(
  'system_identifier', (SELECT pg_catalog.concat(system_identifier) FROM pg_catalog.pg_control_system()),
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'version_num', pg_catalog.pg_size_bytes(pg_catalog.current_setting('server_version_num')),
  'role', session_user,
  'role_can_replicate', (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user),
  'in_recovery', recovery,
  'wal_segment_size', pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')),
  'timeline', CASE WHEN recovery THEN (SELECT pg_catalog.to_hex(timeline_id) FROM pg_catalog.pg_control_checkpoint())
    ELSE pg_catalog.left(pg_catalog.pg_walfile_name(lsn), 8) END,
  'lsn', lsn,
  'as_of', CASE WHEN as_of_time IS NOT NULL THEN pg_catalog.jsonb_build_object('time', as_of_time, 'lsn', as_of_lsn) END,
  'max_slot_wal_keep_size', (SELECT pg_catalog.pg_size_bytes(setting) FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'),
  'max_replication_slots', pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_replication_slots')),
  'replication_slots', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
  'slot', (SELECT pg_catalog.jsonb_build_object('name', slot_name, 'slot_type', slot_type, 'active', active, 'active_pid', active_pid,
      'restart_lsn', restart_lsn, 'wal_status', wal_status, 'retained_bytes', pg_catalog.pg_wal_lsn_diff(lsn, restart_lsn)::bigint)
    FROM pg_catalog.pg_replication_slots WHERE slot_name = :'slot')
) FROM of_time;
`

/**
 * Makes sure that the slot is there and keeps WAL from now on, or from where it did before.
 * @returns what had to be done; undefined when all was well.
 * @throws {PgbkError} `refused` when there is another kind of slot of that name, or none is free.
 */
export async function ensureSlot(
  psql: Psql,
  facts: WalServerFacts,
  name: string,
): Promise<'created' | 'renewed' | undefined> {
  const { slot } = facts
  if (slot && slot.slot_type !== 'physical') {
    throw new PgbkError(
      'refused',
      `the replication slot ${name} is a ${slot.slot_type} one, which cannot be used to receive WAL`,
      {
        hint: 'Choose another name with wal.slot (PGBK_WAL_SLOT).',
      },
    )
  }
  if (slot && slot.wal_status !== 'lost' && slot.restart_lsn !== null) return undefined
  if (!slot && facts.replication_slots >= facts.max_replication_slots) {
    throw new PgbkError(
      'refused',
      `no replication slot is free (${facts.replication_slots} of max_replication_slots = ${facts.max_replication_slots} in use)`,
      {
        hint: `Drop one that nobody needs:\n  SELECT * FROM pg_replication_slots;\nOr, as a superuser, raise it, then restart the server:\n  ALTER SYSTEM SET max_replication_slots = ${facts.max_replication_slots + 5};`,
      },
    )
  }
  // A slot that has lost its WAL, or never had any, can only be made anew.
  if (slot) await dropSlot(psql, name)
  await query(psql, createSlot, { values: { slot: name } })
  return slot ? 'renewed' : 'created'
}

/** @throws {PgbkError} `refused` when it is in use. */
export async function dropSlot(psql: Psql, name: string): Promise<void> {
  await query(psql, sql`SELECT pg_catalog.pg_drop_replication_slot(:'slot');`, { values: { slot: name } })
}

const createSlot = sql`SELECT pg_catalog.pg_create_physical_replication_slot(:'slot', true);`
