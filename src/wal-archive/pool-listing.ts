import { lstatSync } from 'node:fs'
import type { Catalog } from '../catalog/catalog.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import { isId } from '../catalog/id.js'
import { rootLayout } from '../catalog/layout.js'
import { PgbkError, systemCode } from '../errors.js'
import { namesIn } from '../system/paths/names-in.js'
import { formatLsn } from '../wal-segments/lsn.js'
import { segmentFileOf } from '../wal-segments/segment-forms.js'
import { type Archive, readArchive } from './archive-index.js'
import { ChainTails } from './chain-tails.js'

/** One archive of a root, and whose it is. */
export interface ArchivePlace {
  id: string
  directory: string
  /** As the record says; undefined where that cannot be read. */
  cluster: string | undefined
}

/** The WAL archives of a root, each looked at once. */
export interface PoolListing {
  /** Newest first. */
  places: ArchivePlace[]
  /** Undefined where it is not a directory, or is closed. */
  namesIn(archive: string): string[] | undefined
  /** @throws as `readArchive`. */
  read(archive: string, segmentSize: number): Archive
  /** Those that have a segment of this number, on any timeline and in any form. */
  holdersOf(name: string): Holders | undefined
  /** Those that have timeline histories. */
  withHistories(): ArchivePlace[]
  /** What chains have in common that go the same way through the same archives. @param way both, as what can be told from others. */
  tailsOf(way: unknown[]): ChainTails
}

/** Who has a segment. */
interface Holders {
  places: ArchivePlace[]
  newestTimeline: string
}

export function poolListing(catalog: Pick<Catalog, 'root' | 'backups' | 'rejected'>): PoolListing {
  const places = placesOf(catalog)
  const listings = new Map<string, string[] | undefined>()
  const archives = new Map<string, Archive>()
  const tails = new Map<string, ChainTails>()
  let holders: Map<string, Holders> | undefined
  let withHistories: ArchivePlace[] | undefined
  const names = (archive: string) => remembered(listings, archive, () => archiveNames(archive))
  return {
    places,
    namesIn: names,
    read: (archive, size) => remembered(archives, `${archive} ${size}`, () => readArchive(archive, size)),
    holdersOf: (name) => {
      holders ??= holdersIn(places, names)
      return holders.get(numberIn(name))
    },
    withHistories: () => {
      const hasSome = ({ directory }: ArchivePlace) =>
        names(directory)?.some((name) => name.endsWith('.history'))
      withHistories ??= places.filter(hasSome)
      return withHistories
    },
    tailsOf: (way) => remembered(tails, JSON.stringify(way, textOfLsn), () => new ChainTails()),
  }
}

export function archiveIn(backupDirectory: string): string {
  return `${backupDirectory}/wal`
}

/** The archive of a backup whose record has become unreadable is as good as before; that of one being deleted is not. */
function placesOf({
  root,
  backups,
  rejected,
}: Pick<Catalog, 'root' | 'backups' | 'rejected'>): ArchivePlace[] {
  const layout = rootLayout(root)
  const unreadable = rejected
    .filter(({ name, closed, hasNoRecord }) => isId(name) && !closed && !hasNoRecord)
    .map(({ name }) => ({ id: name, directory: archiveIn(layout.backup(name)), cluster: undefined }))
  const known = backups.map((backup) => ({
    id: backup.id,
    directory: archiveIn(backup.directory),
    cluster: claimedCluster(backup),
  }))
  return [...known, ...unreadable].sort((one, other) => (one.id < other.id ? 1 : -1))
}

/** A link would lead to somebody else's names. */
function archiveNames(archive: string): string[] | undefined {
  try {
    if (!lstatSync(archive, { throwIfNoEntry: false })?.isDirectory()) return undefined
    return namesIn(archive)
  } catch (error) {
    if (['EACCES', 'EPERM', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

/** The digits behind the timeline. */
function numberIn(name: string): string {
  return name.slice(8, 24)
}

function holdersIn(
  places: ArchivePlace[],
  namesAt: (archive: string) => string[] | undefined,
): Map<string, Holders> {
  const holders = new Map<string, Holders>()
  for (const place of places)
    for (const name of namesAt(place.directory) ?? []) if (segmentFileOf(name)) note(holders, place, name)
  return holders
}

function note(holders: Map<string, Holders>, place: ArchivePlace, name: string): void {
  const number = numberIn(name)
  const timeline = name.slice(0, 8)
  const known = holders.get(number)
  if (!known) return void holders.set(number, { places: [place], newestTimeline: timeline })
  if (known.places.at(-1) !== place) known.places.push(place)
  if (timeline > known.newestTimeline) known.newestTimeline = timeline
}

function textOfLsn(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? formatLsn(value) : value
}

function remembered<T>(known: Map<string, T>, key: string, find: () => T): T {
  if (known.has(key)) return known.get(key) as T
  const found = find()
  known.set(key, found)
  return found
}

/** Nothing where it is not an archive: nobody has asked for that one. */
export function unlessNone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    throw error
  }
}
