import { neededDirectories } from '../../snapshot/data-directories.js'
import { mostBytes } from '../../system/files/read-small.js'
import type { TarMember } from './tar-header.js'

/**
 * Whether a file of a base backup, by its name below the data directory, lies on disk too while the image of all is made: pgbk reads it
 * before, or changes it. That is the WAL, what tells of the backup and of each database, and whatever may be configuration.
 */
export function isKeptAside({ name, size }: Pick<TarMember, 'name' | 'size'>): boolean {
  if (name === 'backup_manifest' || looked.test(name)) return true
  return !ofServer.has(name.split('/')[0] ?? '') && size <= mostBytes.conf
}

const looked = /^pg_wal\/|^global\/pg_control$|^base\/\d+\/(?:PG_VERSION|pg_filenode\.map)$/

/** Where a server has its data. */
const ofServer = new Set([...neededDirectories.filter((name) => !name.includes('/')), 'pg_stat_tmp'])
