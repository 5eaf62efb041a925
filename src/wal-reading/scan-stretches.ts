import { isDeepStrictEqual } from 'node:util'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import { addDamageNote, type FilesAround, filesAround } from '../wal-archive/notes/damage-notes.js'
import type { SegmentFacts } from '../wal-archive/notes/segment-facts.js'
import type { IndexedNote, SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { type ArchiveEndSearch, mostBytesAtOnce, waldumpOf } from './archive-end.js'
import { readAndNote } from './note-segments.js'
import type { ReadSegments } from './read-segments.js'
import type { WalDamage } from './wal-damage.js'
import { type WalStep, withWaldumpDirectory } from './waldump-directory.js'

export interface ScanSearch extends ArchiveEndSearch {
  /** Of the server: a segment of another one has no business here. */
  systemIdentifier: string
  /** Where its last record ends, where that is known; else it must be readable to its end. */
  endLsn?: string | undefined
  /** All is read, and told the notes of what has one, in place of being noted. */
  onNotes?: ((notes: IndexedNote[]) => void) | undefined
}

/** Some segments, one after the other, and what is in them. */
export interface Stretch extends ReadSegments {
  /** The index in the chain of the first. */
  first: number
  /** The archives that it was noted in; none where it was read now. */
  noted: string[]
}

/** As many pg_waldumps work at a time. */
const lanes = 2

/**
 * Tells what is in a chain, from its beginning to a segment: by the notes, and where there are none, by reading, which makes notes.
 * It ends after damage.
 * @throws {PgbkError} `programs-missing` without pg_waldump of this major.
 */
export async function* scanStretches(search: ScanSearch, lastToRead: number): AsyncGenerator<Stretch> {
  const known = search.onNotes ? [] : (search.notes?.factsOf(search.wal, search.systemIdentifier) ?? [])
  const steps = stepsOf(known, search.wal.segmentSize, lastToRead)
  const unread = steps
    .filter(({ isNoted }) => !isNoted)
    .flatMap(({ first, last }) => bytesIn(search, first, last))
  const isWorth = unread.reduce((sum, bytes) => sum + bytes, 0) >= (search.notes?.worthNoting ?? 0)
  const given = new AbortController()
  const signal = AbortSignal.any([search.signal, given.signal])
  const running: Promise<Stretch>[] = []
  try {
    for (let at = 0, next = 0; at < steps.length; at++) {
      for (; next < steps.length && running.length < lanes; next++) {
        const step = steps[next] as Step
        const stretch = step.isNoted
          ? Promise.resolve(notedIn(search, known, step))
          : read({ ...search, signal }, step, lastToRead, isWorth)
        stretch.catch(() => {}) // it is asked for in its turn, or not at all
        running.push(stretch)
      }
      const stretch = (await running.shift()) as Stretch
      yield stretch
      if (stretch.damage) return
    }
  } finally {
    given.abort()
    await Promise.allSettled(running)
  }
}

interface Step extends WalStep {
  isNoted: boolean
}

/** Stretches that are noted as a whole, and others that are read a piece at a time. */
function stepsOf(known: (SegmentFacts | undefined)[], segmentSize: number, lastToRead: number): Step[] {
  const most = Math.max(1, Math.floor(mostBytesAtOnce / lanes / segmentSize))
  const steps: Step[] = []
  for (let index = 0; index <= lastToRead; index++) {
    const isNoted = known[index] !== undefined
    const step = steps.at(-1)
    if (step?.isNoted === isNoted && (isNoted || index - step.first < most)) step.last = index
    else steps.push({ first: index, last: index, isNoted })
  }
  return steps
}

function bytesIn({ wal }: ScanSearch, first: number, last: number): number[] {
  const segments = wal.chain.slice(first, last + 1)
  return segments.map(({ form }) => (form === 'partial' ? 0 : wal.segmentSize))
}

function notedIn({ wal }: ScanSearch, known: (SegmentFacts | undefined)[], { first, last }: Step): Stretch {
  const facts = known.slice(first, last + 1).filter((one) => one !== undefined)
  const segments = wal.chain.slice(first, last + 1)
  return { first, facts, damage: undefined, noted: [...new Set(segments.map(({ directory }) => directory))] }
}

async function read(search: ScanSearch, step: Step, lastToRead: number, isWorth: boolean): Promise<Stretch> {
  const { wal, notes: book, onNotes } = search
  const program = waldumpOf(search.major, search.installations)
  const isWanted = (segment: ArchivedSegment) => {
    if (!book) return false
    return onNotes ? book.fitting(segment).length > 0 : isWorth && lacksNote(segment, search, book)
  }
  const noteDamage = book && damageNoter(wal, step, book.backups)
  const found = await withWaldumpDirectory(program, wal, search, (waldump) =>
    readAndNote(waldump, step, { ...search, lastToRead }, isWanted),
  )
  if (found.read.damage) await noteDamage?.(found.read.damage)
  if (onNotes) onNotes(found.notes)
  else await book?.addTo(wal, found.notes)
  return { first: step.first, ...found.read, noted: [] }
}

/** Or has one that does not fit the next segment's. */
function lacksNote(
  segment: ArchivedSegment,
  { wal, systemIdentifier }: ScanSearch,
  book: SegmentNotes,
): boolean {
  if (book.fitting(segment, systemIdentifier).length === 0) return true
  const next = wal.chain[wal.chain.indexOf(segment) + 1]
  return next !== undefined && book.fitting(next, systemIdentifier).length > 0
}

/**
 * For whoever is about to read some segments of a chain: notes the damage that they then find, beside the segment, so that those tell it
 * who do not read all. Not where the segment is unfinished, or was not the same before.
 */
function damageNoter(
  { chain }: Pick<ArchivedWal, 'chain'>,
  { first, last }: WalStep,
  backups: string,
): (damage: WalDamage) => Promise<void> {
  const before = new Map<number, FilesAround>()
  // A record that begins in the last one may end in a later one.
  for (let index = first; index <= last + 1; index++) before.set(index, filesAround(chain, index))
  return async ({ index, reason, isReadable }) => {
    const [segment, files] = [chain[index], before.get(index)]
    const [previous, own, next] = files ?? []
    if (!segment || segment.form === 'partial' || typeof own !== 'string') return
    if (!isDeepStrictEqual(filesAround(chain, index), files)) return
    const around: [string | null, string, string | null] = [previous ?? null, own, next ?? null]
    const note = { name: segment.name, files: around, reason, is_readable: isReadable }
    await addDamageNote(segment.directory, note, backups)
  }
}
