import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type ReadableBackup, recordOf, snapshotOf } from '../catalog/backup.js'
import type { BackupRecord } from '../catalog/record.js'
import { majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import { controlSettings } from '../postgres/programs/check-backup.js'
import { minimumsIn } from '../recovery/recovery-conf.js'
import { highestOf } from '../snapshot/conf/minimums.js'

/**
 * Room for replication origins that come in the WAL after the snapshot, which tells nothing of the setting that they need: it costs
 * half a megabyte of memory.
 */
const roomForOrigins = 1000

/** An origin has a number of 16 bits. */
const mostOrigins = 65_535

/**
 * The `recoveryMinimums` of the server that a backup is of: as the snapshot's configuration has them, and where an earlier pgbk did not
 * know of one, as the data tells.
 * @param bin the directory of PostgreSQL's programs.
 * @throws {PgbkError} `damaged` when pg_control cannot be read, or the configuration is not a file.
 */
export async function minimumsOfServer(
  backup: Pick<ReadableBackup, 'snapshot' | 'raw'>,
  bin: string,
  { env, signal }: Context,
): Promise<Record<string, number>> {
  const layout = snapshotOf(backup)
  const ofConf = minimumsIn(layout.conf)
  const program = join(bin, 'pg_controldata')
  const ofControl =
    'track_commit_timestamp' in ofConf || !existsSync(program)
      ? {}
      : await controlSettings(program, layout.data, { env, signal })
  return highestOf(ofConf, ofControl, { [originsSetting(majorOf(recordOf(backup)))]: originsIn(layout.data) })
}

/** The same for a server that is started on a copy, whatever WAL it replays. */
export async function minimumsOfCopy(
  backup: Pick<ReadableBackup, 'snapshot' | 'raw'>,
  bin: string,
  context: Context,
): Promise<Record<string, number>> {
  return withRoomForOrigins(await minimumsOfServer(backup, bin, context), recordOf(backup))
}

/** With more room for origins than the WAL is likely to bring. */
export function withRoomForOrigins(
  minimums: Readonly<Record<string, number>>,
  record: BackupRecord,
): Record<string, number> {
  return highestOf(minimums, { [originsSetting(majorOf(record))]: roomForOrigins })
}

/** What limits the origins (StartupReplicationOrigin() in src/backend/replication/logical/origin.c). */
function originsSetting(major: number): string {
  return major >= 18 ? 'max_active_replication_origins' : 'max_replication_slots'
}

/** Whether a data directory is one of a server with replication origins. */
export function hasOrigins(data: string): boolean {
  return originsIn(data) > 0
}

/** The states in pg_logical/replorigin_checkpoint: a magic number of 4 bytes, 16 for each (ReplicationStateOnDisk), a checksum of 4. */
function originsIn(data: string): number {
  const found = lstatSync(join(data, 'pg_logical', 'replorigin_checkpoint'), { throwIfNoEntry: false })
  return Math.min(mostOrigins, Math.max(0, Math.floor(((found?.size ?? 0) - 8) / 16)))
}
