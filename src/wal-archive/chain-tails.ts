import type { ArchivedSegment } from '../wal-segments/archive-segments.js'
import type { ArchiveIndex } from './archive-index.js'
import type { ChainRun } from './chain-run.js'

/** What ends a chain: a segment on which nothing can follow, or that the next one is nowhere. */
export interface ChainEnd {
  number: bigint
  /** Under which the segment of this number counts, the best first. */
  names: string[]
  segment?: ArchivedSegment
}

/** A chain from a place on. */
export interface ChainTail {
  /** Undefined where nothing follows. */
  first: { run: ChainRun; rest: ChainTail } | undefined
  end: ChainEnd
  /** The number of the last segment of all archives that it leads through. */
  most: bigint
}

export function runsOf(tail: ChainTail): ChainRun[] {
  const runs: ChainRun[] = []
  for (let { first } = tail; first; first = first.rest.first) runs.push(first.run)
  return runs
}

/** How chains go on behind a segment of an archive, whichever backup they come from: with thousands of them, that is most of each. */
export class ChainTails {
  private readonly known = new WeakMap<ArchiveIndex, Map<bigint, ChainTail>>()

  behind({ archive, to }: ChainRun): ChainTail | undefined {
    return this.known.get(archive)?.get(to.segment)
  }

  remember({ archive, to }: ChainRun, tail: ChainTail): void {
    const known = this.known.get(archive) ?? new Map<bigint, ChainTail>()
    this.known.set(archive, known.set(to.segment, tail))
  }
}
