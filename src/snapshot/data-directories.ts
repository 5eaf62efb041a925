import { lstatSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Directories that initdb makes in every data directory (`subdirs` in src/bin/initdb/initdb.c, the same from 13 to 18), and that
 * the server does not make again; the manifest, which lists files, does not know those that are empty. Without pg_stat_tmp, which
 * may be elsewhere, and what depends on the version.
 */
export const neededDirectories = [
  'base',
  'global',
  'pg_commit_ts',
  'pg_dynshmem',
  'pg_logical',
  'pg_logical/mappings',
  'pg_logical/snapshots',
  'pg_multixact',
  'pg_multixact/members',
  'pg_multixact/offsets',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat',
  'pg_subtrans',
  'pg_tblspc',
  'pg_twophase',
  'pg_wal',
  'pg_xact',
]

/** Those that are missing: tools that copy files alone lose the empty ones, and the server does not start without them. */
export function missingDirectories(dataDirectory: string): string[] {
  return neededDirectories.filter(
    (name) => !lstatSync(join(dataDirectory, name), { throwIfNoEntry: false })?.isDirectory(),
  )
}
