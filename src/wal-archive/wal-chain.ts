import type { ArchivedSegment } from '../wal-segments/archive-segments.js'
import { lastSegmentBefore, parseLsn, segmentName, segmentNumber } from '../wal-segments/lsn.js'
import type { TimelinePart } from '../wal-segments/timeline-path.js'
import { namesOf, nextSwitchAfter } from '../wal-segments/timeline-segments.js'
import { writtenTo } from '../wal-segments/written-to.js'
import { type ArchiveIndex, usableIn } from './archive-index.js'

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

export interface ChainSearch {
  own: ArchiveIndex
  timelines: TimelinePart[]
  needs: WalNeeds
  /** The other archives that have a segment of this name in any form, the best first. */
  further: (name: string, than: ArchiveIndex) => ArchiveIndex[]
}

export interface FollowedChain {
  runs: ChainRun[]
  gap: ArchiveGap | undefined
}

/**
 * The unbroken chain of segments from a snapshot's first one on, as long as an archive goes on, then through others. What breaks it
 * is a gap where one of the archives that it has come through goes on behind.
 */
export function followChain({ own, timelines, needs, further }: ChainSearch): FollowedChain {
  const size = needs.wal_segment_size
  const runs: ChainRun[] = []
  const joined = [own]
  let archive = own
  // The snapshot itself needs some, whether they are there or not.
  let most = later(lastSegmentBefore(needs.stop_lsn, size), lastOf(own, timelines))
  for (let number = segmentNumber(parseLsn(needs.start_lsn), size); ; ) {
    const names = namesOf(number, timelines, size)
    const gapFor = (reason: string) => gapAt({ number, names, reason }, runs, joined, timelines)
    const others = mayGoOn(runs, names, own) ? further : () => []
    const pick = pickAt(names, archive, others, runs.length === 0)
    if (!pick) return { runs, gap: number > most ? undefined : gapFor(faultOf(names, joined)) }
    const { segment, insteadOf, cameFrom } = pick
    if (cameFrom) joined.push(pick.archive)
    archive = pick.archive
    most = later(most, lastOf(archive, timelines))
    if (isEnd(segment, names)) {
      const gap = number < most ? gapFor(reasonToEnd(segment, names, joined)) : undefined
      return { runs: [...runs, { archive, from: segment, to: segment, insteadOf, cameFrom }], gap }
    }
    const run = { archive, from: segment, to: archive.runFrom(segment), insteadOf, cameFrom }
    const cut = upTo(nextSwitchAfter(number, timelines, size), run, size)
    runs.push(cut)
    number = cut.to.segment + 1n
  }
}

/** Without anything of its own, nothing would show whether the other archive has the same. */
function mayGoOn(runs: ChainRun[], names: string[], own: ArchiveIndex): boolean {
  const isThere = (name: string) => pickIn(own, name) ?? damagedCopyIn(own, name, true)
  return runs.length > 0 || names.some((name) => isThere(name) !== undefined)
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other
}

function lastOf(archive: ArchiveIndex, timelines: TimelinePart[]): bigint {
  return archive.onPath(timelines).at(-1)?.segment ?? -1n
}

/** A run ends where another timeline begins. */
function upTo(nextSwitch: bigint | undefined, run: ChainRun, segmentSize: number): ChainRun {
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
  return runs.filter(({ from }) => from.segment < number).map((run) => upTo(number, run, segmentSize))
}

interface Pick {
  archive: ArchiveIndex
  segment: ArchivedSegment
  insteadOf?: ArchivedSegment | undefined
  cameFrom?: ArchiveIndex | undefined
}

/** A finished segment, of the archive at hand if it has it; else, of those that are not finished, the one with the most in it. */
function pickAt(
  names: string[],
  archive: ArchiveIndex,
  further: ChainSearch['further'],
  isFirst: boolean,
): Pick | undefined {
  for (const name of names) {
    const here = pickIn(archive, name)
    if (here && here.segment.form !== 'partial') return here
    const others = further(name, archive).flatMap((other) => pickIn(other, name) ?? [])
    const finished = others.find(({ segment }) => segment.form !== 'partial')
    const way = { insteadOf: here?.segment ?? damagedCopyIn(archive, name, isFirst), cameFrom: archive }
    if (finished) return { ...finished, ...way }
    const partial = furthest(here ? [here, ...others] : others)
    if (partial) return partial === here ? here : { ...partial, ...way }
  }
  return undefined
}

function pickIn(archive: ArchiveIndex, name: string): Pick | undefined {
  const segment = usableIn(archive, name)
  return segment && { archive, segment }
}

function damagedCopyIn({ found }: ArchiveIndex, name: string, isFirst: boolean): ArchivedSegment | undefined {
  const one = found.get(name)
  // A wrong size shows at once; before the first one there is nothing else from which the chain could go on.
  return one?.isDamagedCopy || isFirst ? one?.segment : undefined
}

function furthest(picks: Pick[]): Pick | undefined {
  if (picks.length < 2) return picks[0]
  const written = picks.map((pick) => ({ pick, bytes: writtenTo(pick.segment) }))
  return written.reduce((most, one) => (one.bytes > most.bytes ? one : most)).pick
}

/** Nothing can follow on a segment that is unfinished, or whose own timeline has ended in it. */
function isEnd({ name, form }: ArchivedSegment, names: string[]): boolean {
  return name !== names[0] || form === 'partial'
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

function gapAt(
  { number, names: [missing = ''], reason }: { number: bigint; names: string[]; reason: string },
  runs: ChainRun[],
  joined: ArchiveIndex[],
  timelines: TimelinePart[],
): ArchiveGap {
  const following = joined.flatMap(
    (archive) => archive.onPath(timelines).find(({ segment }) => segment > number) ?? [],
  )
  const next = following.sort((one, other) => (one.segment < other.segment ? -1 : 1))[0]?.name
  return { after: runs.at(-1)?.to.name, missing, next, reason }
}
