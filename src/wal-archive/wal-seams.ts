import { pathOf } from '../wal-segments/archive-segments.js'
import { segmentName, segmentNumber } from '../wal-segments/lsn.js'
import type { TimelinePart } from '../wal-segments/timeline-path.js'
import { namesOf } from '../wal-segments/timeline-segments.js'
import { type ArchiveIndex, usableIn } from './archive-index.js'
import type { ArchivedSegment, ArchivedWal } from './archived-wal.js'
import type { ChainRun } from './chain-run.js'

/** Where a chain goes on in another archive. */
export interface WalSeam {
  /** The archive that the chain comes from. */
  archive: string
  /** Its last segment before the seam, or what it has of the first one after it, which is less, damaged, or in the snapshot alone. */
  before: ArchivedSegment
  after: ArchivedSegment
  /** Tells it from others: the paths of both. */
  key: string
  /** A segment that both archives have; undefined where there is none. */
  overlap: SeamOverlap | undefined
  /** That, and others near it that both have, which tell where that one does not. */
  overlaps(): SeamOverlap[]
}

/** What two archives have of a segment, and up to which byte its content must be the same. */
export interface SeamOverlap {
  one: ArchivedSegment
  other: ArchivedSegment
  upTo: number
  /** The ones before them, where they are there. */
  previous: [ArchivedSegment | undefined, ArchivedSegment | undefined]
}

export function seamsOf(wal: Pick<ArchivedWal, 'runs' | 'timelines' | 'segmentSize'>): WalSeam[] {
  const found: WalSeam[] = []
  for (const [index, run] of wal.runs.entries()) {
    const before = run.insteadOf ?? wal.runs[index - 1]?.to
    if (!run.cameFrom || !before) continue
    const known = seams.get(run)
    const seam = known?.before === before ? known : seamAt(run, run.cameFrom, before, wal)
    if (seam !== known) seams.set(run, seam)
    found.push(seam)
  }
  return found
}

/** Of runs that many chains have in common. */
const seams = new WeakMap<ChainRun, WalSeam>()

function seamAt(
  { archive, insteadOf, from }: ChainRun,
  cameFrom: ArchiveIndex,
  before: ArchivedSegment,
  { timelines, segmentSize }: Pick<ArchivedWal, 'timelines' | 'segmentSize'>,
): WalSeam {
  const both: [ArchiveIndex, ArchiveIndex] = [cameFrom, archive]
  const overlap = insteadOf
    ? overlapIn(both, [insteadOf, from], segmentSize, segmentSize)
    : overlapOf(both, before, from, timelines, segmentSize)
  const overlaps = () => [...(overlap ? [overlap] : []), ...overlapsNear(both, from, overlap, segmentSize)]
  const key = [before, from].map(pathOf).join()
  return { archive: cameFrom.directory, before, after: from, key, overlap, overlaps }
}

/** The segment in which one timeline leaves another, else the last one before. */
function overlapOf(
  both: [ArchiveIndex, ArchiveIndex],
  before: ArchivedSegment,
  after: ArchivedSegment,
  timelines: TimelinePart[],
  segmentSize: number,
): SeamOverlap | undefined {
  const begun = namesOf(after.segment, timelines, segmentSize).flatMap(
    (name) => usableIn(both[0], name) ?? [],
  )[0]
  // A new timeline's first segment begins with what its parent's has up to there.
  if (begun) return overlapIn(both, [begun, after], switchIn(after, timelines, segmentSize), segmentSize)
  const same = usableIn(both[1], before.name)
  return same && overlapIn(both, [before, same], segmentSize, segmentSize)
}

function overlapIn(
  both: [ArchiveIndex, ArchiveIndex],
  [one, other]: [ArchivedSegment, ArchivedSegment],
  upTo: number,
  segmentSize: number,
): SeamOverlap {
  const before = ({ timeline, segment }: ArchivedSegment) => segmentName(timeline, segment - 1n, segmentSize)
  return { one, other, upTo, previous: [usableIn(both[0], before(one)), usableIn(both[1], before(other))] }
}

const nearest = [0n, -1n, 1n, -2n, 2n, -3n, 3n, -4n, 4n]

/** Damaged ones too: up to the damage they tell as well as any. */
function overlapsNear(
  both: [ArchiveIndex, ArchiveIndex],
  { timeline, segment }: ArchivedSegment,
  known: SeamOverlap | undefined,
  segmentSize: number,
): SeamOverlap[] {
  return nearest.flatMap((distance) => {
    const name = segmentName(timeline, segment + distance, segmentSize)
    const [one, other] = both.map((archive) => tellingIn(archive, name))
    if (!one || !other || (one === known?.one && other === known.other)) return []
    return [overlapIn(both, [one, other], segmentSize, segmentSize)]
  })
}

function tellingIn({ found }: ArchiveIndex, name: string): ArchivedSegment | undefined {
  const one = found.get(name)
  const isUsable = one?.fault === undefined || one.isDamagedCopy
  return isUsable && one?.segment.form !== 'partial' ? one?.segment : undefined
}

function switchIn(
  { timeline, segment }: ArchivedSegment,
  timelines: TimelinePart[],
  segmentSize: number,
): number {
  const fromLsn = timelines.find((part) => part.timeline === timeline)?.fromLsn ?? 0n
  return segmentNumber(fromLsn, segmentSize) === segment ? Number(fromLsn % BigInt(segmentSize)) : 0
}
