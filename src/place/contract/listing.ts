import { recordOf, type StoredBackup } from '../../catalog/backup.js'
import { PgbkError } from '../../errors.js'
import { type BytePath, bytePath, joinBytes, shownPath } from '../../system/paths/byte-path.js'
import { isPlainName } from '../../system/paths/inside.js'
import { segmentIn } from '../../wal-segments/segment-forms.js'
import { ownSegments } from '../../wal-segments/segment-range.js'
import { imageName, isLeftOut, tablespaceOf } from './names.js'

/** What a backup's directory has, by names relative to it. Locks, markers and the record are left out. */
export interface Listing {
  directories: BytePath[]
  files: BytePath[]
  links: BytePath[]
  /** What its files take there, where the place tells that with their names. */
  bytes?: ReadonlyMap<BytePath, number>
}

/** What a source said is there, before it is trusted. */
export type RawListing = Listing

export interface WantedWal {
  /** Only the WAL that the snapshot itself needs. */
  noWal: boolean
}

/** Files and directories of one backup. */
export const mostListed = 5_000_000

/** @throws {PgbkError} `damaged` for more than one backup has. */
export function checkCount(listed: number, source: string, most = mostListed): void {
  if (listed > most) throw new PgbkError('damaged', `${source} lists more than ${most} files of one backup`)
}

/** Backups of one place, and what lies among them: one an hour for five years. */
const mostInCatalog = 50_000

/** @throws {PgbkError} `damaged` for more entries than any place has beside its backups. */
export function checkEntries(count: number, source: string): void {
  if (count > mostInCatalog)
    throw new PgbkError('damaged', `${source} lists more than ${mostInCatalog} entries in data/backup`)
}

/** What is a directory in every backup. */
const ownDirectories = new Set(['wal', 'snapshot', 'snapshot/data', 'snapshot/conf', 'snapshot/tablespaces'])

/**
 * Checks names that a source gave.
 * @throws {PgbkError} `damaged` for one that leads out of the backup, for a file in place of a directory, and for any link
 * but those of tablespaces that are there.
 */
export function checkListing(raw: RawListing, source: string): Listing {
  checkCount(raw.directories.length + raw.files.length + raw.links.length, source)
  const names = (list: BytePath[]) => {
    for (const name of list) checkName(name, source)
    return list.filter((name) => !isLeftOut(name))
  }
  const listing = {
    directories: names(raw.directories),
    files: names(raw.files),
    links: names(raw.links),
  }
  const noDirectory = listing.files.find((name) => ownDirectories.has(name))
  if (noDirectory !== undefined)
    throw new PgbkError('damaged', `in the backup in ${source}, ${shownPath(noDirectory)} is not a directory`)
  const directories = new Set<string>(listing.directories)
  const unknown = listing.links.find(
    (link) => !directories.has(`snapshot/tablespaces/${tablespaceOf(link) ?? '-'}`),
  )
  if (unknown !== undefined) {
    throw new PgbkError(
      'damaged',
      `the backup in ${source} has a link that pgbk did not make: ${shownPath(unknown)}`,
      {
        hint: 'The only links in a backup are those of tablespaces. Replace it with what it points to.',
      },
    )
  }
  return listing
}

/**
 * What is to come of what is there.
 * @throws {PgbkError} `damaged` for a packed one without its image.
 */
export function wantedOf(all: Listing, backup: StoredBackup, { noWal }: WantedWal): Listing {
  const listing = backup.form === 'packed' ? packedOf(all, backup) : all
  if (!noWal) return listing
  const needed = ownSegments(recordOf(backup))
  const files = listing.files.filter((name) => {
    const file = /^wal\/([^/]+)$/.exec(name)?.[1]
    return file === undefined || file.endsWith('.history') || needed.has(segmentIn(file) ?? '')
  })
  return { ...listing, files }
}

/** Without what somebody has unpacked beside the image, as its README says. */
function packedOf({ directories, files }: Listing, { id }: StoredBackup): Listing {
  if (!files.includes(imageName))
    throw new PgbkError('damaged', `backup ${id} is incomplete: it lacks ${imageName}`, {
      hint: 'Choose another backup.',
    })
  const isOwn = (name: BytePath) => name === imageName || name === 'README' || /^wal(\/|$)/.test(name)
  return { directories: directories.filter(isOwn), files: files.filter(isOwn), links: [] }
}

function checkName(name: BytePath, source: string): void {
  if (isPlainName(name)) return
  const shown = JSON.stringify(shownPath(name))
  throw new PgbkError('damaged', `${source} names a file ${shown}, outside of the backup`)
}

/** The entries of an archive: parents before what is in them, WAL early, because it changes, and the record last. */
export function archiveNames(id: string, { directories, files, links }: Listing): BytePath[] {
  const top = bytePath(`data/backup/${id}`)
  const isWal = (name: BytePath) => name.startsWith('wal/')
  const ordered = [
    ...files.filter(isWal),
    ...files.filter((name) => !isWal(name)),
    ...links,
    bytePath('backup.json'),
  ]
  return [top, ...[...directories, ...ordered].map((name) => joinBytes(top, name))]
}
