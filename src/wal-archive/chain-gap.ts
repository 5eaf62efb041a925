import type { ArchivedSegment } from '../wal-segments/archive-segments.js'
import type { TimelinePart } from '../wal-segments/timeline-path.js'
import type { ArchiveIndex } from './archive-index.js'
import type { ChainRun } from './chain-run.js'
import type { ChainEnd } from './chain-tails.js'

/** Where the archive is broken. */
export interface ArchiveGap {
  /** The last segment before it; undefined when the very first is not there. */
  after: string | undefined
  /** The first segment that cannot be used. */
  missing: string
  /** The next segment that is there; undefined when nothing follows. */
  next: string | undefined
  /** `it is missing`, `it has 5 bytes instead of 16777216` ... */
  reason: string
}

/** @param runs the chain that ends there, from an archive on. */
export function gapAt(
  { number, names, segment }: ChainEnd,
  runs: ChainRun[],
  { own, timelines }: { own: ArchiveIndex; timelines: TimelinePart[] },
): ArchiveGap {
  const joined = [own, ...runs.filter(({ cameFrom }) => cameFrom).map(({ archive }) => archive)]
  const following = joined.flatMap(
    (archive) => archive.onPath(timelines).find((one) => one.segment > number) ?? [],
  )
  const next = following.sort((one, other) => (one.segment < other.segment ? -1 : 1))[0]?.name
  const after = runs.at(segment ? -2 : -1)?.to.name
  const reason = segment ? reasonToEnd(segment, names, joined) : faultOf(names, joined)
  return { after, missing: names[0] ?? '', next, reason }
}

/** Why the chain cannot go on after such a segment. */
function reasonToEnd(segment: ArchivedSegment, names: string[], joined: ArchiveIndex[]): string {
  // At a switch the parent's segment ends where its child's goes on.
  return segment.name === names[0] ? 'it is only partly there' : faultOf(names, joined)
}

function faultOf([newest = '']: string[], joined: ArchiveIndex[]): string {
  const faults = joined.map(({ found }) => found.get(newest)?.fault)
  return faults.find((fault) => fault !== undefined) ?? 'it is missing'
}
