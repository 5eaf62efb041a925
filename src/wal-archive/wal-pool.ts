import { dirname } from 'node:path'
import type { LocalBackup } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import { type ArchivedSegment, pathOf, usableFormsOf } from '../wal-segments/archive-segments.js'
import { parseLsn, segmentName, segmentNumber } from '../wal-segments/lsn.js'
import { type Archive, type DamagedCopies, withMissing, withoutCopies } from './archive-index.js'
import { agreedOn } from './archive-listing.js'
import { type ArchivedWal, walThrough } from './archived-wal.js'
import { agreedHistories, waysFrom } from './pool-histories.js'
import { type ArchivePlace, archiveIn, type PoolListing, poolListing, unlessNone } from './pool-listing.js'
import { snapshotSegment } from './snapshot-segment.js'
import { followChain } from './wal-chain.js'

export type PooledBackup = Pick<LocalBackup, 'id' | 'directory' | 'form' | 'summary'>

export interface WayThroughPool {
  /** The timeline to go to, in place of the newest. */
  timeline?: number | undefined
  /** Archives that do not go on from this backup's, whatever their names say. */
  without?: ReadonlySet<string>
  /** Copies of segments in whose place others are taken. */
  damaged?: DamagedCopies | undefined
}

/** The WAL archives of a root: a chain begins in that of one backup, and may go on in those of others. Each is listed once. */
export interface WalPool {
  /**
   * The WAL that a backup can replay, through its own archive and all that go on where it ends. By names and sizes: whether it can be
   * read on over the seams does not show.
   * @throws {PgbkError} `damaged` when the backup's own archive is none, or cannot be read.
   */
  walOf(backup: PooledBackup, way?: WayThroughPool): ArchivedWal
  /** The names in a backup's archive; undefined where that is not a directory. */
  namesOf(backup: Pick<LocalBackup, 'directory'>): string[] | undefined
  /** Whether others may have what comes after a segment, or more of it: cheap, for thousands of backups. */
  mayGoOn(segment: { timeline: number; segment: bigint; isPartial: boolean }, segmentSize: number): boolean
  /** The files of a segment in the archives of a backup's cluster, but those that are damaged. */
  copiesOf(backup: PooledBackup, name: string, damaged: DamagedCopies): ArchivedSegment[]
  /** Whether archives join at their seams, as far as somebody has looked. */
  seams: Map<string, boolean>
  /** Copies of segments that were found damaged where others are sound. */
  damaged: Map<string, string>
}

export function walPool(catalog: Pick<Catalog, 'root' | 'backups' | 'rejected'>): WalPool {
  const listing = poolListing(catalog)
  const confirmed = new Set<string>()
  return {
    seams: new Map(),
    damaged: new Map(),
    copiesOf: (backup, name, damaged) => copiesIn(listing, backup, name, damaged),
    walOf: (backup, way = {}) => {
      const first = look(listing, backup, way)
      if (!first.gap || confirmed.has(JSON.stringify(first.gap))) return first
      // What is renamed while it is listed may be missing once.
      let looks = 0
      const agreed = agreedOn(() => (looks++ === 0 ? first : look(poolListing(catalog), backup, way)))
      confirmed.add(JSON.stringify(agreed.gap))
      return agreed
    },
    namesOf: ({ directory }) => listing.namesIn(archiveIn(directory)),
    mayGoOn: ({ timeline, segment, isPartial }, segmentSize) => {
      const name = (number: bigint) => segmentName(timeline, number, segmentSize)
      if (listing.holdersOf(name(segment + 1n))) return true
      const same = listing.holdersOf(name(segment))
      return (
        same !== undefined &&
        (same.newestTimeline > name(0n).slice(0, 8) || (isPartial && same.places.length > 1))
      )
    },
  }
}

function look(
  listing: PoolListing,
  backup: PooledBackup,
  { timeline, without = new Set(), damaged = new Map() }: WayThroughPool,
): ArchivedWal {
  const { summary: needs } = backup
  const size = needs.wal_segment_size
  const directory = archiveIn(backup.directory)
  const readAt = readerWithout(damaged, listing, size)
  const own = withFirst(readAt(directory), backup)
  const cluster = claimedCluster(backup)
  const isOther = (place: ArchivePlace) =>
    place.directory !== directory && !without.has(place.directory) && mayBeOf(cluster, place)
  const read = (place: ArchivePlace) => unlessNone(() => readAt(place.directory)) ?? []
  const { histories, contradicting } = agreedHistories(
    own,
    listing.withHistories().filter(isOther).flatMap(read),
  )
  const further = (name: string, than: { directory: string }) => {
    const places = listing.holdersOf(name)?.places ?? []
    const usable = places.filter(
      (place) => place.directory === directory || (isOther(place) && !contradicting.has(place.directory)),
    )
    return inOrderFrom(than.directory, usable)
      .flatMap(read)
      .filter(({ found }) => found.has(name))
  }
  const ways = waysFrom(needs, histories, own.histories, timeline)
  for (const [index, timelines] of ways.entries()) {
    const archives = [cluster, [...without], [...damaged.keys()], [...contradicting]]
    const tails = without.has(directory) ? undefined : listing.tailsOf([size, timelines, archives])
    const followed = followChain({ own, timelines, needs, further, tails })
    const reached = followed.runs.at(-1)?.to.timeline
    // A timeline that is known, and whose WAL is not here, must not keep anybody from what is.
    if (reached === timelines.at(-1)?.timeline || index === ways.length - 1)
      return walThrough(own, { timelines, histories, ...followed }, size)
  }
  return walThrough(own, { timelines: [], histories, runs: [], gap: undefined }, size)
}

/** Where an archive lacks its first segment, a copy of another one can be compared with that of the snapshot. */
function withFirst(archive: Archive, backup: PooledBackup): Archive {
  const { start_lsn, timeline, wal_segment_size: size } = backup.summary
  const first = segmentName(timeline, segmentNumber(parseLsn(start_lsn), size), size)
  const inSnapshot = archive.found.has(first) ? undefined : snapshotSegment(backup, first)
  return inSnapshot ? withMissing(archive, inSnapshot, size) : archive
}

/** Each archive is the same object whenever it is asked for. */
function readerWithout(
  damaged: DamagedCopies,
  listing: PoolListing,
  segmentSize: number,
): (directory: string) => Archive {
  const isIn = new Set([...damaged.keys()].map((path) => dirname(path)))
  const changed = new Map<string, Archive>()
  return (directory) => {
    const archive = listing.read(directory, segmentSize)
    if (!isIn.has(directory)) return archive
    const known = changed.get(directory) ?? withoutCopies(archive, damaged, segmentSize)
    changed.set(directory, known)
    return known
  }
}

/** That of an unreadable record may be anybody's. */
function mayBeOf(cluster: string | undefined, place: ArchivePlace): boolean {
  return place.cluster === undefined || place.cluster === cluster
}

function copiesIn(
  listing: PoolListing,
  backup: PooledBackup,
  name: string,
  damaged: DamagedCopies,
): ArchivedSegment[] {
  const cluster = claimedCluster(backup)
  const places = listing.holdersOf(name)?.places ?? []
  return places
    .filter((place) => mayBeOf(cluster, place))
    .flatMap(
      ({ directory }) => unlessNone(() => listing.read(directory, backup.summary.wal_segment_size)) ?? [],
    )
    .flatMap(({ found }) => usableFormsOf(found.get(name)))
    .filter((segment) => !damaged.has(pathOf(segment)))
}

/** The next newer ones first: there a receiver went on. Then older ones, the nearest first. */
function inOrderFrom(directory: string, places: ArchivePlace[]): ArchivePlace[] {
  const others = places.filter((place) => place.directory !== directory)
  const isNewer = (place: ArchivePlace) => place.directory > directory
  return [...others.filter(isNewer).reverse(), ...others.filter((place) => !isNewer(place))]
}
