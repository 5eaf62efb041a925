import type { ArchivedSegment } from '../wal-segments/archive-segments.js'
import { lastSegmentBefore, parseLsn, segmentNumber } from '../wal-segments/lsn.js'
import type { TimelinePart } from '../wal-segments/timeline-path.js'
import { namesOf, nextSwitchAfter } from '../wal-segments/timeline-segments.js'
import { writtenTo } from '../wal-segments/written-to.js'
import { type ArchiveIndex, usableIn } from './archive-index.js'
import { type ArchiveGap, gapAt } from './chain-gap.js'
import { type ChainRun, runUpTo } from './chain-run.js'
import { type ChainTail, type ChainTails, runsOf } from './chain-tails.js'

/** What a record says about the WAL of its backup. */
export interface WalNeeds {
  timeline: number
  start_lsn: string
  stop_lsn: string
  wal_segment_size: number
}

export interface ChainSearch {
  own: ArchiveIndex
  timelines: TimelinePart[]
  needs: WalNeeds
  /** The other archives that have a segment of this name in any form, the best first. */
  further: (name: string, than: ArchiveIndex) => ArchiveIndex[]
  /** Those of chains that were followed before with the same timelines and archives. */
  tails?: ChainTails | undefined
}

export interface FollowedChain {
  runs: ChainRun[]
  gap: ArchiveGap | undefined
}

/**
 * The unbroken chain of segments from a snapshot's first one on, as long as an archive goes on, then through others. What breaks it
 * is a gap where one of the archives that it has come through goes on behind.
 */
export function followChain(search: ChainSearch): FollowedChain {
  const { own, timelines, needs } = search
  const tail = tailFrom(search)
  const { end, most } = tail
  const runs = runsOf(tail)
  // The snapshot itself needs some, whether they are there or not.
  const snapshotNeeds = lastSegmentBefore(needs.stop_lsn, needs.wal_segment_size)
  const furthest = later(snapshotNeeds, later(lastOf(own, timelines), most))
  const isGap = end.segment ? end.number < furthest : end.number <= furthest
  return { runs, gap: isGap ? gapAt(end, runs, search) : undefined }
}

/** The chain, of which most is that of others which were followed before. */
function tailFrom(search: ChainSearch): ChainTail {
  const { own, timelines, needs, further, tails } = search
  const size = needs.wal_segment_size
  const runs: ChainRun[] = []
  let archive = own
  for (let number = segmentNumber(parseLsn(needs.start_lsn), size); ; ) {
    const names = namesOf(number, timelines, size)
    const others = mayGoOn(runs, names, own) ? further : () => []
    const pick = pickAt(names, archive, others, runs.length === 0)
    if (!pick) return withTail(runs, { first: undefined, end: { number, names }, most: -1n }, search)
    const { segment, insteadOf, cameFrom } = pick
    archive = pick.archive
    if (isEnd(segment, names)) {
      const last = { archive, from: segment, to: segment, insteadOf, cameFrom }
      return withTail(
        [...runs, last],
        { first: undefined, end: { number, names, segment }, most: -1n },
        search,
      )
    }
    const run = { archive, from: segment, to: archive.runFrom(segment), insteadOf, cameFrom }
    const cut = runUpTo(nextSwitchAfter(number, timelines, size), run, size)
    runs.push(cut)
    const known = tails?.behind(cut)
    if (known) return withTail(runs, known, search)
    number = cut.to.segment + 1n
  }
}

/** Runs, and what follows on them. */
function withTail(runs: ChainRun[], tail: ChainTail, { tails, timelines }: ChainSearch): ChainTail {
  return runs.reduceRight((rest, run) => {
    tails?.remember(run, rest)
    const most = later(rest.most, lastOf(run.archive, timelines))
    return { first: { run, rest }, end: rest.end, most }
  }, tail)
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
