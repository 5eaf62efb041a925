import type { ArchivedSegment } from '../wal-segments/archive-segments.js'
import { segmentName } from '../wal-segments/lsn.js'
import type { ArchiveIndex } from './archive-index.js'

/** Segments of one archive and timeline that follow one after the other: the first and the last. */
export interface ChainRun {
  archive: ArchiveIndex
  from: ArchivedSegment
  to: ArchivedSegment
  /** What the archive before had of the first one, which was less, or damaged. */
  insteadOf?: ArchivedSegment | undefined
  /** The archive that the chain was in before, where that is another. */
  cameFrom?: ArchiveIndex | undefined
}

/** A run ends where another timeline begins. */
export function runUpTo(nextSwitch: bigint | undefined, run: ChainRun, segmentSize: number): ChainRun {
  if (nextSwitch === undefined || run.to.segment < nextSwitch) return run
  return { ...run, to: segmentAt(nextSwitch - 1n, run, segmentSize) }
}

/** A segment of a run, by its number. */
export function segmentAt(
  number: bigint,
  { archive, from, to }: ChainRun,
  segmentSize: number,
): ArchivedSegment {
  if (number === from.segment) return from
  return archive.found.get(segmentName(from.timeline, number, segmentSize))?.segment ?? to
}

/** The segments of runs, one by one. */
export function segmentsOfRuns(runs: ChainRun[], segmentSize: number): ArchivedSegment[] {
  return runs.flatMap((run) => {
    const count = Number(run.to.segment - run.from.segment) + 1
    return Array.from({ length: count }, (_, index) =>
      segmentAt(run.from.segment + BigInt(index), run, segmentSize),
    )
  })
}

/** What comes before a segment. */
export function runsBefore(number: bigint, runs: ChainRun[], segmentSize: number): ChainRun[] {
  return runs.filter(({ from }) => from.segment < number).map((run) => runUpTo(number, run, segmentSize))
}
