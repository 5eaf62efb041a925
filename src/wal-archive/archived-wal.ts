import type { Fault } from '../errors.js'
import type { ArchivedSegment, ArchiveFile } from '../wal-segments/archive-segments.js'
import { parseLsn, parseSegmentName } from '../wal-segments/lsn.js'
import { type TimelinePart, type TimelineSwitch, timelinePath } from '../wal-segments/timeline-path.js'
import { type Archive, type DamagedCopies, type Histories, indexOf, readArchive } from './archive-index.js'
import { agreedOn } from './archive-listing.js'
import type { ArchiveGap } from './chain-gap.js'
import { type ChainRun, runsBefore, segmentAt, segmentsOfRuns } from './chain-run.js'
import { followChain, type WalNeeds } from './wal-chain.js'

export type { ArchivedSegment, ArchiveFile } from '../wal-segments/archive-segments.js'
export type { ArchiveGap } from './chain-gap.js'
export type { WalNeeds } from './wal-chain.js'

/** The WAL that a backup can replay: that of its own archive, or of all archives that its chain leads through. */
export interface ArchivedWal {
  /** The backup's own archive. */
  directory: string
  segmentSize: number
  /** The segments that can be replayed one after the other, from the snapshot's first one on. */
  readonly chain: ArchivedSegment[]
  /** The same, as far as they lie in one archive. */
  runs: ChainRun[]
  gap: ArchiveGap | undefined
  /** The timelines that the chain may follow, the backup's own first. */
  timelines: TimelinePart[]
  /** The paths of the history files that are understood, by timeline. */
  histories: ReadonlyMap<number, string>
  /** History files that are not understood, with the reason. */
  faults: Fault[]
  /** Damaged segments in whose place the chain has sound copies of other archives. */
  replaced?: DamagedCopies | undefined
}

/** The last segment of the chain; it need not be written out for that. */
export function lastOf({ runs }: Pick<ArchivedWal, 'runs'>): ArchivedSegment | undefined {
  return runs.at(-1)?.to
}

/** How many segments the chain has. */
export function countOf({ runs }: Pick<ArchivedWal, 'runs'>): number {
  return runs.reduce((sum, { from, to }) => sum + Number(to.segment - from.segment) + 1, 0)
}

/**
 * Reads a WAL archive's names, sizes and timeline histories. What is neither a segment of this size nor a history file does
 * not count. A directory that is not there is an empty archive. A receiver may be at work: what it is renaming is there.
 * @param timeline the one to go to, in place of the newest.
 */
export function readArchivedWal(directory: string, needs: WalNeeds, timeline?: number): ArchivedWal {
  return agreedOn(() => walIn(readArchive(directory, needs.wal_segment_size), needs, timeline))
}

/** The chain in one archive. */
export function walIn(archive: Archive, needs: WalNeeds, timeline?: number): ArchivedWal {
  const histories = new Map(
    [...archive.histories]
      .filter(([one]) => timeline === undefined || one === timeline)
      .map(([one, { ancestors }]) => [one, ancestors]),
  )
  const timelines = timelinePath(needs.timeline, parseLsn(needs.stop_lsn), histories)
  const found = followChain({ own: archive, timelines, needs, further: () => [] })
  return walThrough(archive, { timelines, histories: archive.histories, ...found }, needs.wal_segment_size)
}

/** What was found, put together. */
export function walThrough(
  { directory, faults }: Archive,
  {
    timelines,
    histories,
    runs,
    gap,
  }: Pick<ArchivedWal, 'timelines' | 'runs' | 'gap'> & { histories: Histories },
  segmentSize: number,
): ArchivedWal {
  const paths = new Map([...histories].map(([one, { path }]) => [one, path]))
  const rest = { directory, segmentSize, timelines, faults, histories: paths }
  return withRuns({ ...rest, gap: gap ?? notedGap(runs, segmentSize) }, runs)
}

/** The chain is written out when somebody asks for it first: those of many backups have most segments in common. */
export function withRuns(rest: Omit<ArchivedWal, 'chain' | 'runs'>, runs: ChainRun[]): ArchivedWal {
  let chain: ArchivedSegment[] | undefined
  const lazy = {
    get chain() {
      chain ??= segmentsOfRuns(runs, rest.segmentSize)
      return chain
    },
  }
  return Object.assign(lazy, rest, { runs })
}

/** Segments of one directory that follow one after the other, and nothing else of what is in there. */
export function walOfSegments(directory: string, chain: ArchivedSegment[], segmentSize: number): ArchivedWal {
  const archive = indexOf(directory, [], segmentSize)
  const runs = chain.map((segment) => ({ archive, from: segment, to: segment }))
  const rest = { directory, segmentSize, timelines: [], histories: new Map(), faults: [], gap: undefined }
  return withRuns(rest, runs)
}

/** The WAL up to a segment, which is no more part of it, or only as far as it can be read. */
export function upToSegment(
  wal: ArchivedWal,
  { segment }: Pick<ArchivedSegment, 'segment'>,
  { gap, isReadable = false }: { gap: ArchiveGap; isReadable?: boolean },
): ArchivedWal {
  const { directory, segmentSize, timelines, faults, histories, replaced, runs } = wal
  const whole = runsBefore(segment, runs, segmentSize)
  const damaged = runs.find(({ from, to }) => from.segment <= segment && segment <= to.segment)
  const rest = { directory, segmentSize, timelines, faults, histories, replaced, gap }
  if (!damaged || !isReadable) return withRuns(rest, whole)
  const last = { ...segmentAt(segment, damaged, segmentSize), form: 'partial' as const }
  return withRuns(rest, [...whole, { ...damaged, from: last, to: last }])
}

/** The WAL from a segment on. */
export function fromSegment(wal: ArchivedWal, first: bigint): ArchivedWal {
  const { directory, segmentSize, timelines, faults, histories, replaced, gap, runs } = wal
  const rest = { directory, segmentSize, timelines, faults, histories, replaced, gap }
  const kept = runs.filter(({ to }) => to.segment >= first)
  const cut = kept.map((run) =>
    run.from.segment >= first ? run : { ...run, from: segmentAt(first, run, segmentSize) },
  )
  return withRuns(rest, cut)
}

/** What was noted counts for as long as the chain still ends there. */
function notedGap(runs: ChainRun[], segmentSize: number): ArchivedWal['gap'] {
  const last = lastOf({ runs })
  if (!last) return undefined
  const next = last.form === 'partial' ? last.segment : last.segment + 1n
  const notes = runs.flatMap(({ archive }) => archive.gapNote ?? [])
  const missing = notes.find((noted) => parseSegmentName(noted, segmentSize)?.segment === next)
  if (missing === undefined) return undefined
  return { after: last.name, missing, next: undefined, reason: 'the server no longer had it' }
}

/** The unbroken chain of segments, along the way to the newest timeline, and what breaks it. */
export function chainOf(
  files: ArchiveFile[],
  histories: ReadonlyMap<number, TimelineSwitch[]>,
  needs: WalNeeds,
): Pick<ArchivedWal, 'chain' | 'gap' | 'timelines' | 'segmentSize'> {
  const segmentSize = needs.wal_segment_size
  const timelines = timelinePath(needs.timeline, parseLsn(needs.stop_lsn), histories)
  const own = indexOf('', files, segmentSize)
  const { runs, gap } = followChain({ own, timelines, needs, further: () => [] })
  return { segmentSize, timelines, chain: segmentsOfRuns(runs, segmentSize), gap }
}
