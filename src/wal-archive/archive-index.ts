import { join } from 'node:path'
import { type Fault, messageOf } from '../errors.js'
import { mostBytes, readSmallText } from '../system/files/read-small.js'
import {
  type ArchivedSegment,
  type ArchiveFile,
  type FoundSegment,
  pathOf,
  segmentsIn,
  usableFormsOf,
} from '../wal-segments/archive-segments.js'
import { parseHistory, type TimelinePart, type TimelineSwitch } from '../wal-segments/timeline-path.js'
import { namesOf } from '../wal-segments/timeline-segments.js'
import { filesInArchive } from './archive-listing.js'
import { gapNoteName, readGapNote } from './gap-note.js'

/** What is in one WAL archive, by name and size, found fast: chains of many backups lead through it. */
export interface ArchiveIndex {
  directory: string
  /** Every segment in its best form, by its 24 digits. */
  found: ReadonlyMap<string, FoundSegment>
  /** The last of the finished segments that follow one after the other, on one timeline, from this one on. */
  runFrom(segment: ArchivedSegment): ArchivedSegment
  /** Those that a way through the timelines can lead to, usable or not, in order. */
  onPath(timelines: TimelinePart[]): ArchivedSegment[]
  /** The segment that the server no longer had, where that was noted. */
  gapNote: string | undefined
}

/** The timeline histories of an archive that are understood. */
export type Histories = ReadonlyMap<number, { path: string; ancestors: TimelineSwitch[] }>

/** All that an archive's directory shows. */
export interface Archive extends ArchiveIndex {
  histories: Histories
  /** What these say, as one text. */
  told: string
  /** History files that are not understood, with the reason. */
  faults: Fault[]
}

/** An archive's segment of a name, where it is of use. */
export function usableIn({ found }: Pick<ArchiveIndex, 'found'>, name: string): ArchivedSegment | undefined {
  const one = found.get(name)
  return one?.fault === undefined ? one?.segment : undefined
}

/** All of its segments that are of use. */
export function usableSegments(archive: Pick<ArchiveIndex, 'found'>): ArchivedSegment[] {
  return [...archive.found.keys()].flatMap((name) => usableIn(archive, name) ?? [])
}

/** Reads a directory; one that is not there is empty. @throws {PgbkError} `damaged` for one that is none. */
export function readArchive(directory: string, segmentSize: number): Archive {
  const files = filesInArchive(directory)
  const histories = new Map<number, { path: string; ancestors: TimelineSwitch[] }>()
  const told: string[] = []
  const faults: Fault[] = []
  for (const { name } of files.filter((file) => /^[0-9A-F]{8}\.history$/.test(file.name))) {
    const path = join(directory, name)
    try {
      const ancestors = parseHistory(readSmallText(path, mostBytes.note), name)
      histories.set(Number.parseInt(name, 16), { path, ancestors })
      told.push([name, ...ancestors.map(({ timeline, switchLsn }) => `${timeline}:${switchLsn}`)].join(' '))
    } catch (error) {
      faults.push({ file: name, problem: messageOf(error) })
    }
  }
  const gapNote = files.some(({ name }) => name === gapNoteName) ? readGapNote(directory) : undefined
  return {
    ...indexOf(directory, files, segmentSize, gapNote),
    histories,
    told: told.sort().join('\n'),
    faults,
  }
}

export function indexOf(
  directory: string,
  files: ArchiveFile[],
  segmentSize: number,
  gapNote?: string,
): ArchiveIndex {
  return indexOfFound(directory, segmentsIn(files, segmentSize), segmentSize, gapNote)
}

/** Paths of segments that are damaged, and what is wrong with each. */
export type DamagedCopies = ReadonlyMap<string, string>

/** The same archive, in which damaged copies of segments are of no use: another form of one is taken, or none. */
export function withoutCopies(archive: Archive, damaged: DamagedCopies, segmentSize: number): Archive {
  const found = new Map<string, FoundSegment>()
  for (const [name, one] of archive.found) {
    const fault = damaged.get(pathOf(one.segment))
    const [sound, ...others] = usableFormsOf(one).filter((form) => !damaged.has(pathOf(form)))
    if (fault === undefined) found.set(name, one)
    else found.set(name, sound ? { segment: sound, others } : { ...one, fault, isDamagedCopy: true })
  }
  return { ...archive, ...indexOfFound(archive.directory, found, segmentSize, archive.gapNote) }
}

/** The same archive, of which it is known what a segment that it lacks has in it. */
export function withMissing(archive: Archive, elsewhere: ArchivedSegment, segmentSize: number): Archive {
  const found = new Map([...archive.found, [elsewhere.name, { segment: elsewhere, fault: 'it is missing' }]])
  return { ...archive, ...indexOfFound(archive.directory, found, segmentSize, archive.gapNote) }
}

function indexOfFound(
  directory: string,
  found: ReadonlyMap<string, FoundSegment>,
  segmentSize: number,
  gapNote: string | undefined,
): ArchiveIndex {
  const paths = new Map<string, ArchivedSegment[]>()
  let runs: Map<string, ArchivedSegment> | undefined
  return {
    directory,
    found,
    gapNote,
    runFrom(segment) {
      runs ??= runsIn(found)
      return runs.get(segment.name) ?? segment
    },
    onPath(timelines) {
      const key = timelines.map(({ timeline, fromLsn }) => `${timeline}:${fromLsn}`).join()
      const known = paths.get(key) ?? segmentsOnPath(found, timelines, segmentSize)
      paths.set(key, known)
      return known
    },
  }
}

function segmentsOnPath(
  found: ReadonlyMap<string, FoundSegment>,
  timelines: TimelinePart[],
  segmentSize: number,
): ArchivedSegment[] {
  return inOrder(found).filter(({ name, segment }) => namesOf(segment, timelines, segmentSize).includes(name))
}

function inOrder(found: ReadonlyMap<string, FoundSegment>): ArchivedSegment[] {
  const byNumber = (one: ArchivedSegment, other: ArchivedSegment) =>
    one.segment === other.segment ? one.timeline - other.timeline : one.segment < other.segment ? -1 : 1
  return [...found.values()].map(({ segment }) => segment).sort(byNumber)
}

/** The end of the run that each segment is in. */
function runsIn(found: ReadonlyMap<string, FoundSegment>): Map<string, ArchivedSegment> {
  const ends = new Map<string, ArchivedSegment>()
  const next = new Map<number, ArchivedSegment>()
  for (const segment of inOrder(found).reverse()) {
    if (segment.form === 'partial' || found.get(segment.name)?.fault !== undefined) continue
    const after = next.get(segment.timeline)
    const isFollowed = after?.segment === segment.segment + 1n
    ends.set(segment.name, (isFollowed && ends.get(after.name)) || segment)
    next.set(segment.timeline, segment)
  }
  return ends
}
