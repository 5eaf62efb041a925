import { join } from 'node:path'
import type { BackupLayout } from '../catalog/layout.js'
import { type BackupRecord, type RecordDraft, recordFormat } from '../catalog/record.js'
import type { DatabaseAccess } from '../catalog/recorded-database.js'
import type { InsideDatabases } from '../postgres/server/database-facts.js'
import {
  type DatabaseFacts,
  isInvalid,
  isOutside,
  type ServerFacts,
} from '../postgres/server/server-facts.js'
import type { StandbyState } from '../postgres/server/standby-state.js'
import { measureTree } from '../system/files/measure.js'
import { isRaw, rawBytes } from '../text/raw-text.js'
import { finishedForms } from '../wal-segments/segment-forms.js'
import type { StandbyWal } from './archive-wal.js'
import type { CopiedData } from './copy/copy-server.js'

export interface RecordInput {
  id: string
  label: string | undefined
  scheduled: boolean
  startedAt: Date
  finishedAt: Date
  facts: ServerFacts
  inside: InsideDatabases
  copied: CopiedData
  /** Of a standby, in place of the clock's time at the end of the copying. */
  standby: Pick<RecordDraft, 'copied_at' | 'standby'> | undefined
  /** The server's own setting. */
  timeZone: string | undefined
  configFiles: BackupRecord['config_files']
  configuration: BackupRecord['configuration']
  skipped: string[]
  verified: boolean
  tools: BackupRecord['tools']
}

/** Puts together what is known of a backup; only its own size is still missing. */
export async function buildRecord(input: RecordInput, layout: BackupLayout): Promise<RecordDraft> {
  const { facts, copied, startedAt, finishedAt } = input
  return {
    format: recordFormat.plain,
    id: input.id,
    kind: input.scheduled ? 'scheduled' : 'on-demand',
    label: input.label ?? null,
    started_at: startedAt.toISOString(),
    // Moments are compared with it: neither clock must put the snapshot's end too early.
    finished_at: new Date(Math.max(finishedAt.getTime(), copied.serverTime.getTime())).toISOString(),
    copied_at: copied.endedAt.toISOString(),
    ...input.standby,
    server: { ...describeServer(facts), time_zone: input.timeZone },
    superuser: facts.superuser,
    timeline: copied.range.timeline,
    start_lsn: copied.label.startLsn,
    stop_lsn: copied.range.endLsn,
    checkpoint_lsn: copied.label.checkpointLsn,
    wal_segment_size: facts.wal_segment_size,
    wal_forms: [...finishedForms],
    data_checksums: facts.data_checksums,
    tablespaces: await describeTablespaces(facts, layout),
    databases: describeDatabases(input),
    extensions: input.inside.extensions,
    preload_libraries: listOf(facts.preload_libraries),
    config_files: input.configFiles,
    configuration: input.configuration,
    ...(input.skipped.length > 0 ? { skipped: input.skipped.slice(0, mostSkipped) } : {}),
    verified: input.verified,
    tools: input.tools,
    // A clock may be set back meanwhile.
    duration_ms: Math.max(0, finishedAt.getTime() - startedAt.getTime()),
  }
}

/** Of somebody's thousand sockets nobody wants to read more. */
const mostSkipped = 1000

function describeServer(facts: ServerFacts): BackupRecord['server'] {
  return {
    version: facts.version,
    version_num: facts.version_num,
    version_string: facts.version_string,
    libc_version: facts.libc_version,
    icu_version: facts.icu_version,
    system_identifier: facts.system_identifier,
    cluster_name: facts.cluster_name,
    host: facts.host,
    port: facts.port,
    in_recovery: facts.in_recovery,
  }
}

function describeTablespaces(facts: ServerFacts, layout: BackupLayout): Promise<BackupRecord['tablespaces']> {
  return Promise.all(
    facts.tablespaces.map(async (tablespace) => {
      const parent = isOutside(tablespace) ? layout.tablespaces : layout.tablespaceLinks
      const { bytes } = await measureTree(join(parent, String(tablespace.oid)))
      const { oid, name, location, raw_location } = tablespace
      const raw = isRaw(raw_location) ? { location_bytes: rawBytes(raw_location).toString('hex') } : {}
      return { oid, name, location, ...raw, size_bytes: bytes }
    }),
  )
}

function describeDatabases({ facts, inside }: RecordInput): BackupRecord['databases'] {
  return facts.databases.map((database) => ({
    name: database.name,
    ...(isRaw(database.raw_name) ? { name_bytes: rawBytes(database.raw_name).toString('hex') } : {}),
    size_bytes: database.size_bytes,
    encoding: database.encoding,
    locale_provider: database.locale_provider,
    locale: database.locale,
    ctype: database.ctype,
    access: accessOf(database),
    collation_version: database.collation_version,
    unlogged_tables: inside.unloggedTables.get(database.name) ?? null,
  }))
}

/** Superusers get in whatever the limit is, but not into the remains of a database (CheckMyDatabase in postinit.c). */
function accessOf(database: DatabaseFacts): DatabaseAccess {
  if (isInvalid(database)) return 'invalid'
  if (!database.allows_connections) return 'nobody'
  return database.connection_limit === 0 ? 'superusers' : 'open'
}

/** A list setting such as shared_preload_libraries; null stays null: the role may not know it. */
function listOf(setting: string | null): string[] | null {
  if (setting === null) return null
  return setting
    .split(',')
    .map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
    .filter(Boolean)
}

/** A standby before it was copied, and right afterwards; undefined when it has become a primary meanwhile. */
interface StandbyStates {
  before: StandbyState
  after: StandbyState | undefined
}

/**
 * What a standby's snapshot is as of, by the clock of the commits: what its primary had committed by then is in it, and nothing that
 * was committed later. Where both the WAL and the standby are silent, it is the last checkpoint, which is told to the second.
 */
export function describeStandby(
  { before, after = { ...before, is_receiving: false, caught_up: null } }: StandbyStates,
  { lastCommit, hasMore }: StandbyWal,
): Pick<RecordDraft, 'copied_at' | 'standby'> {
  const { last_commit: replayed, caught_up, checkpoint } = after
  // One that is older than the backup's WAL is the last one only if none was replayed since.
  const older = lastCommit === undefined || replayed === before.last_commit ? replayed : null
  const last = lastCommit ?? older
  const caughtUp = replayed === last ? caught_up : null
  const byCommit = caughtUp === null || (last !== null && last >= caughtUp)
  const standby = {
    known_by: last === null && caughtUp === null ? 'last-checkpoint' : byCommit ? 'last-commit' : 'caught-up',
    is_receiving: after.is_receiving,
    is_paused: after.is_paused,
    apply_delay_ms: after.apply_delay_ms,
    has_more_wal: hasMore,
  } as const
  return { copied_at: (byCommit ? last : caughtUp) ?? nextSecond(checkpoint), standby }
}

function nextSecond(time: string): string {
  return new Date(Date.parse(time) + 1000).toISOString()
}
