import type { Partial } from '../catalog/partial.js'
import type { RecordDraft } from '../catalog/record.js'
import type { Context } from '../context.js'
import { type InsideDatabases, readInsideDatabases } from '../postgres/server/database-facts.js'
import { readServerSettings, type ServerSettings } from '../postgres/server/server-settings.js'
import type { StandbyState } from '../postgres/server/standby-state.js'
import { allOf } from '../system/files/in-parallel.js'
import { version } from '../version.js'
import type { StandbyWal } from './archive-wal.js'
import { buildRecord, describeStandby, type RecordInput } from './build-record.js'
import type { CopiedData } from './copy/copy-server.js'
import type { CreateJob } from './create-job.js'

/** What the server and its copy tell. */
export interface Gathered<Copied extends CopiedData> {
  copied: Copied
  settings: ServerSettings
  inside: InsideDatabases
}

/** The server is asked while it is copied. */
export async function gather<Copied extends CopiedData>(
  copying: Promise<Copied>,
  { server }: CreateJob,
  { progress }: Context,
): Promise<Gathered<Copied>> {
  const [copied, settings, inside] = await allOf([
    copying,
    readServerSettings(server.psql, server.facts),
    readInsideDatabases(server.psql, server.facts, progress),
  ])
  return { copied, settings, inside }
}

/** What was found out after the copying. */
interface Further extends Pick<RecordInput, 'configFiles' | 'configuration' | 'skipped'> {
  startedAt: Date
  /** Of a standby, right after it was copied. */
  after: StandbyState | undefined
  standbyWal: StandbyWal | undefined
  /** The version of the pg_verifybackup that reads it all. */
  verifiedBy: string | undefined
}

/** The record of a backup, but for its own size. */
export function draftRecord(
  { id, layout }: Partial,
  job: CreateJob,
  { settings, ...gathered }: Gathered<CopiedData>,
  { after, standbyWal, verifiedBy, ...further }: Further,
  context: Context,
): Promise<RecordDraft> {
  const { server, standby } = job
  const input = {
    ...job,
    ...gathered,
    ...further,
    id,
    finishedAt: context.now(),
    facts: server.facts,
    standby: standby && standbyWal && describeStandby({ before: standby, after }, standbyWal),
    timeZone: settings.settings.TimeZone,
    verified: verifiedBy !== undefined,
    tools: { pgbk: version, pg_basebackup: server.clients.version, pg_verifybackup: verifiedBy ?? null },
  }
  return buildRecord(input, layout)
}
