import { join } from 'node:path'
import { messageOf } from '../errors.js'
import { mostBytes, readSmallText } from '../read-small.js'
import { agreedOn, filesIn } from './archive-listing.js'
import { type ArchivedSegment, type ArchiveFile, type Found, segmentsIn } from './archive-segments.js'
import { gapNoteName, readGapNote } from './gap-note.js'
import { lastSegmentBefore, parseLsn, parseSegmentName, segmentName, segmentNumber } from './lsn.js'
import { parseHistory, type TimelinePart, type TimelineSwitch, timelinePath } from './timeline-path.js'

export type { ArchivedSegment, ArchiveFile, SegmentForm } from './archive-segments.js'

/** What a record says about the WAL of its backup. */
export interface WalNeeds {
  timeline: number
  start_lsn: string
  stop_lsn: string
  wal_segment_size: number
}

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

/** The WAL archive of a backup, as its directory shows it. */
export interface ArchivedWal {
  directory: string
  segmentSize: number
  /** The segments that can be replayed one after the other, from the snapshot's first one on. */
  chain: ArchivedSegment[]
  gap: ArchiveGap | undefined
  /** The timelines that the chain may follow, the backup's own first. */
  timelines: TimelinePart[]
  /** History files that are not understood, with the reason. */
  faults: string[]
}

/**
 * Reads a WAL archive's names, sizes and timeline histories. What is no segment, no history file or of another segment size does
 * not count. A directory that is not there is an empty archive. A receiver may be at work: what it is renaming is there.
 * @param timeline the one to go to, in place of the newest.
 */
export function readArchivedWal(directory: string, needs: WalNeeds, timeline?: number): ArchivedWal {
  return agreedOn(() => lookInto(directory, needs, timeline))
}

function lookInto(directory: string, needs: WalNeeds, timeline: number | undefined): ArchivedWal {
  const files = filesIn(directory)
  const histories = new Map<number, TimelineSwitch[]>()
  const faults: string[] = []
  for (const { name } of files.filter((file) => /^[0-9A-F]{8}\.history$/.test(file.name))) {
    try {
      const text = readSmallText(join(directory, name), mostBytes.note)
      histories.set(Number.parseInt(name, 16), parseHistory(text, name))
    } catch (error) {
      faults.push(messageOf(error))
    }
  }
  const wanted = new Map([...histories].filter(([one]) => timeline === undefined || one === timeline))
  const found = chainOf(files, wanted, needs)
  const noted = files.some(({ name }) => name === gapNoteName) ? readGapNote(directory) : undefined
  return { directory, faults, ...found, gap: found.gap ?? gapAfter(found, noted) }
}

/** What was noted counts for as long as the archive still ends there. */
function gapAfter(
  { chain, segmentSize }: Pick<ArchivedWal, 'chain' | 'segmentSize'>,
  noted = '',
): ArchivedWal['gap'] {
  const missing = parseSegmentName(noted, segmentSize)?.segment
  const last = chain.at(-1)
  if (missing === undefined || !last) return undefined
  const next = last.form === 'partial' ? last.segment : last.segment + 1n
  if (missing !== next) return undefined
  return { after: last.name, missing: noted, next: undefined, reason: 'the server no longer had it' }
}

/** The unbroken chain of segments, along the way to the newest timeline, and what breaks it. */
export function chainOf(
  files: ArchiveFile[],
  histories: ReadonlyMap<number, TimelineSwitch[]>,
  needs: WalNeeds,
): Omit<ArchivedWal, 'directory' | 'faults'> {
  const segmentSize = needs.wal_segment_size
  const timelines = timelinePath(needs.timeline, parseLsn(needs.stop_lsn), histories)
  const found = segmentsIn(files, segmentSize)
  const onPath = [...found.values()]
    .map(({ segment }) => segment)
    .filter(({ name, segment }) => namesOf(segment, timelines, segmentSize).includes(name))
  const own = lastSegmentBefore(needs.stop_lsn, segmentSize)
  // The snapshot itself needs some, whether they are there or not.
  const last = onPath.reduce((most, { segment }) => (segment > most ? segment : most), own)
  const chain: ArchivedSegment[] = []
  for (let number = segmentNumber(parseLsn(needs.start_lsn), segmentSize); number <= last; number++) {
    const names = namesOf(number, timelines, segmentSize)
    const usable = names.map((name) => found.get(name)).find((one) => one && one.fault === undefined)
    const reason = faultAt(names, usable, found, number === last)
    const after = chain.at(-1)?.name
    if (usable) chain.push(usable.segment)
    if (reason !== undefined) {
      const [missing = ''] = names
      return {
        segmentSize,
        timelines,
        chain,
        gap: { after, missing, next: nextAfter(onPath, number), reason },
      }
    }
  }
  return { segmentSize, timelines, chain, gap: undefined }
}

/** Why the chain cannot go on after this segment, of which these are the possible names; undefined when it can. */
function faultAt(
  [newest = '']: string[],
  usable: Found | undefined,
  found: Map<string, Found>,
  isLast: boolean,
): string | undefined {
  if (!usable) return found.get(newest)?.fault ?? 'it is missing'
  if (isLast) return undefined
  // At a switch the parent's segment ends where its child's goes on.
  if (usable.segment.name !== newest) return found.get(newest)?.fault ?? 'it is missing'
  return usable.segment.form === 'partial' ? 'it is only partly there' : undefined
}

/**
 * The names that a segment can have: that of the newest timeline which has begun by then, and, where that one begins in this very
 * segment, its parent's, which may be all there is.
 */
function namesOf(number: bigint, timelines: TimelinePart[], segmentSize: number): string[] {
  const names: string[] = []
  for (const { timeline, fromLsn } of [...timelines].reverse()) {
    const first = segmentNumber(fromLsn, segmentSize)
    if (first > number) continue
    names.push(segmentName(timeline, number, segmentSize))
    if (first < number) break
  }
  return names
}

function nextAfter(onPath: ArchivedSegment[], number: bigint): string | undefined {
  const later = onPath.filter(({ segment }) => segment > number)
  return later.sort((one, other) => (one.segment < other.segment ? -1 : 1))[0]?.name
}
