import type { ArchivedSegment, ArchivedWal } from './archived-wal.js'
import { segmentNumber } from './lsn.js'
import type { TimelinePart } from './timeline-path.js'
import { namesOf } from './timeline-segments.js'
import type { ChainRun } from './wal-chain.js'

/** Where a chain goes on in another archive. */
export interface WalSeam {
  before: ArchivedSegment
  after: ArchivedSegment
  /** A segment that both archives have, and up to which byte its content must be the same; undefined where there is none. */
  overlap: { one: ArchivedSegment; other: ArchivedSegment; upTo: number } | undefined
}

export function seamsOf({
  runs,
  timelines,
  segmentSize,
}: Pick<ArchivedWal, 'runs' | 'timelines' | 'segmentSize'>): WalSeam[] {
  return runs.flatMap((run, index) => {
    const { insteadOf, from } = run
    const begun = insteadOf && {
      before: insteadOf,
      after: from,
      overlap: { one: insteadOf, other: from, upTo: segmentSize },
    }
    if (begun) return [begun]
    const previous = runs[index - 1]
    if (!previous || previous.archive.directory === run.archive.directory) return []
    return [
      { before: previous.to, after: run.from, overlap: overlapOf(previous, run, timelines, segmentSize) },
    ]
  })
}

/** The segment in which one timeline leaves another, else the last one before. */
function overlapOf(
  { archive: first, to: before }: ChainRun,
  { archive: second, from: after }: ChainRun,
  timelines: TimelinePart[],
  segmentSize: number,
): WalSeam['overlap'] {
  const begun = namesOf(after.segment, timelines, segmentSize).flatMap(
    (name) => usableIn(first, name) ?? [],
  )[0]
  // A new timeline's first segment begins with what its parent's has up to there.
  if (begun) return { one: begun, other: after, upTo: switchIn(after, timelines, segmentSize) }
  const same = usableIn(second, before.name)
  return same && { one: before, other: same, upTo: segmentSize }
}

function usableIn({ found }: ChainRun['archive'], name: string): ArchivedSegment | undefined {
  const one = found.get(name)
  return one?.fault === undefined ? one?.segment : undefined
}

function switchIn(
  { timeline, segment }: ArchivedSegment,
  timelines: TimelinePart[],
  segmentSize: number,
): number {
  const fromLsn = timelines.find((part) => part.timeline === timeline)?.fromLsn ?? 0n
  return segmentNumber(fromLsn, segmentSize) === segment ? Number(fromLsn % BigInt(segmentSize)) : 0
}
