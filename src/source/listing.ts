import { PgbkError } from '../errors.js'
import { isPlainName } from '../inside.js'
import { isLeftOut, tablespaceOf } from './names.js'

/** What a backup's directory has, by names relative to it. Locks, markers and the record are left out. */
export interface Listing {
  directories: string[]
  files: string[]
  links: string[]
}

/** What a source said is there, before it is trusted. */
export interface RawListing {
  directories: Buffer[]
  files: Buffer[]
  links: Buffer[]
}

/** Files and directories of one backup. */
export const mostListed = 5_000_000

/** What is a directory in every backup. */
const ownDirectories = new Set(['wal', 'snapshot', 'snapshot/data', 'snapshot/conf', 'snapshot/tablespaces'])

/**
 * Checks names that a source gave.
 * @throws {PgbkError} `failed` for a name that is no UTF-8, `damaged` for one that leads out of the backup, for a file in place of a directory, and for any link
 * but those of tablespaces that are there.
 */
export function checkListing(raw: RawListing, source: string): Listing {
  if (raw.directories.length + raw.files.length + raw.links.length > mostListed)
    throw new PgbkError('damaged', `${source} lists more than ${mostListed} files of one backup`)
  const names = (list: Buffer[]) =>
    list.map((bytes) => checkName(bytes, source)).filter((name) => !isLeftOut(name))
  const listing = {
    directories: names(raw.directories),
    files: names(raw.files),
    links: names(raw.links),
  }
  const noDirectory = listing.files.find((name) => ownDirectories.has(name))
  if (noDirectory !== undefined)
    throw new PgbkError('damaged', `in the backup in ${source}, ${noDirectory} is not a directory`)
  const directories = new Set(listing.directories)
  const unknown = listing.links.find(
    (link) => !directories.has(`snapshot/tablespaces/${tablespaceOf(link) ?? '-'}`),
  )
  if (unknown !== undefined) {
    throw new PgbkError('damaged', `the backup in ${source} has a link that pgbk did not make: ${unknown}`, {
      hint: 'Only the links of tablespaces belong into a backup. Replace it by what it leads to.',
    })
  }
  return listing
}

function checkName(bytes: Buffer, source: string): string {
  const name = bytes.toString()
  if (!Buffer.from(name).equals(bytes)) {
    throw new PgbkError(
      'failed',
      `a file of the backup in ${source} has a name that is no UTF-8: ${JSON.stringify(name)}`,
      { hint: 'Copy this backup with cp or rsync.' },
    )
  }
  if (!isPlainName(name))
    throw new PgbkError('damaged', `${source} names a file ${JSON.stringify(name)}, outside of the backup`)
  return name
}

/** The entries of an archive: parents before what is in them, WAL early, because it changes, and the record last. */
export function archiveNames(id: string, { directories, files, links }: Listing): string[] {
  const top = `data/backup/${id}`
  const isWal = (name: string) => name.startsWith('wal/')
  const ordered = [...files.filter(isWal), ...files.filter((name) => !isWal(name)), ...links, 'backup.json']
  return [top, ...[...directories, ...ordered].map((name) => `${top}/${name}`)]
}
