import { lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { checkJson, v } from '../../schema.js'
import { appendTo, replaceDurably } from '../../system/files/durable.js'
import { mostBytes, readSmallText } from '../../system/files/read-small.js'
import { filesOf, finishedForms } from '../../wal-segments/segment-forms.js'
import type { ArchivedSegment, ArchivedWal } from '../archived-wal.js'
import { factsSchema, type SegmentFacts } from './segment-facts.js'
import { readSegmentKey, segmentKey } from './segment-key.js'
import { signedLine, signedText } from './signed-line.js'

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/))

const schema = v.strictObject({
  /** The segment's 24 digits. */
  name: v.string(),
  /** As `fileIdentity` tells it: a file that was changed or replaced since is another one. */
  file: v.string(),
  system_identifier: v.string(),
  /** As `segmentDigest` tells it; and that of the next segment, in which the last record may end. */
  digest,
  next: digest,
  facts: factsSchema,
})

/**
 * What pg_waldump has told of a finished segment that was read without fault, up to the end of the last record that begins in it.
 */
export type SegmentNote = v.InferOutput<typeof schema>

/** A note, and the index in a chain of the segment that it is about. */
export interface IndexedNote {
  index: number
  note: SegmentNote
}

/** Of an archive that is still the same one. */
const mostChanged = 8

/** In a WAL archive, one note a line; it may be removed at any time. */
export const segmentNotesName = '.pgbk-segments'

/**
 * The notes in the archives of a root, as they are when they are first asked for. They are only a help: what is missing, cannot be
 * read or written, or was not signed in this root, is as if it had never been noted.
 */
export class SegmentNotes {
  readonly #lines = new Map<string, Map<string, SegmentNote[]>>()

  /**
   * @param backups the directory of the root's backups.
   * @param worthNoting bytes of WAL: where fewer have to be read, that is not worth a change of the archive.
   */
  constructor(
    readonly backups: string,
    readonly worthNoting = 256 << 20,
  ) {}

  /**
   * What is known of each segment of a chain, by its index; undefined where it has to be read. A note counts when its file is the
   * one that was read, and the next segment's note says that what follows is the same, too.
   */
  factsOf(
    wal: Pick<ArchivedWal, 'chain'>,
    systemIdentifier: string | undefined,
  ): (SegmentFacts | undefined)[] {
    const notes = wal.chain.map((segment) => this.fitting(segment, systemIdentifier))
    return notes.map((own, index) => {
      const digests = notes[index + 1]?.map((note) => note.digest) ?? []
      return own.findLast(({ next }) => digests.includes(next))?.facts
    })
  }

  /** The notes that were made of a segment's file as it is. */
  fitting(segment: ArchivedSegment, systemIdentifier?: string): SegmentNote[] {
    if (segment.form === 'partial') return []
    const notes = this.#notesIn(segment.directory).get(segment.name) ?? []
    if (notes.length === 0) return notes
    const file = fileIdentity(join(segment.directory, segment.file))
    return notes.filter(
      (note) =>
        note.file === file && (systemIdentifier === undefined || note.system_identifier === systemIdentifier),
    )
  }

  /**
   * The names of segments in an archive that were noted and whose files are others now, in order. None where that is so of all, or of
   * many: then the archive was copied, and its notes were of other files.
   */
  changedIn(directory: string): string[] {
    const noted = [...this.#notesIn(directory)].map(([name, notes]) => {
      const files = filesOf(name, finishedForms).map((file) => fileIdentity(join(directory, file)))
      const isThere = files.some((file) => file !== undefined)
      return { name, isThere, fits: notes.some(({ file }) => files.includes(file)) }
    })
    const changed = noted.filter(({ isThere, fits }) => isThere && !fits)
    const isCopy = changed.length > 1 && !noted.some(({ fits }) => fits)
    if (isCopy || changed.length > mostChanged) return []
    return changed.map(({ name }) => name).sort()
  }

  /** Adds notes of segments of a chain, each beside its segment. */
  async addTo({ chain }: Pick<ArchivedWal, 'chain'>, notes: IndexedNote[]): Promise<void> {
    for (const [directory, own] of byDirectory(chain, notes)) await this.add(directory, own)
  }

  /** Adds notes in one archive, in one piece. */
  async add(directory: string, notes: SegmentNote[]): Promise<void> {
    const key = notes.length === 0 ? undefined : await segmentKey(this.backups)
    if (!key) return
    const path = join(directory, segmentNotesName)
    // Each begins a line, whatever a process that was killed has left of its last one.
    const text = notes.map((note) => `\n${signedLine(JSON.stringify(note), key)}\n`).join('')
    try {
      const size = lstatSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (size + text.length > mostBytes.segmentNotes) await replaceDurably(path, text)
      else await appendTo(path, text)
      const read = this.#lines.get(directory)
      if (read) for (const note of notes) keep(read, note)
    } catch {
      // An archive that is read-only, another's, or full: they are read again the next time.
    }
  }

  /** Puts these in the place of all notes in an archive. */
  async replace(directory: string, notes: SegmentNote[]): Promise<void> {
    this.#lines.delete(directory)
    try {
      await rm(join(directory, segmentNotesName), { force: true })
    } catch {
      return
    }
    await this.add(directory, notes)
  }

  #notesIn(directory: string): Map<string, SegmentNote[]> {
    const known = this.#lines.get(directory)
    if (known) return known
    const notes = readNotes(directory, readSegmentKey(this.backups))
    this.#lines.set(directory, notes)
    return notes
  }
}

/** The notes that belong into each archive of a chain. */
export function byDirectory(chain: ArchivedSegment[], notes: IndexedNote[]): Map<string, SegmentNote[]> {
  const own = new Map<string, SegmentNote[]>()
  for (const { index, note } of notes) {
    const directory = chain[index]?.directory ?? ''
    own.set(directory, [...(own.get(directory) ?? []), note])
  }
  return own
}

function readNotes(directory: string, key: Buffer | undefined): Map<string, SegmentNote[]> {
  const notes = new Map<string, SegmentNote[]>()
  if (!key) return notes
  for (const line of linesIn(join(directory, segmentNotesName))) {
    const note = noteIn(line, key)
    if (note) keep(notes, note)
  }
  return notes
}

function linesIn(path: string): string[] {
  try {
    return readSmallText(path, mostBytes.segmentNotes).split('\n')
  } catch {
    return [] // whatever is in its place
  }
}

function keep(notes: Map<string, SegmentNote[]>, note: SegmentNote): void {
  const known = notes.get(note.name)
  if (known) known.push(note)
  else notes.set(note.name, [note])
}

function noteIn(line: string, key: Buffer): SegmentNote | undefined {
  const text = signedText(line, key)
  return text === undefined ? undefined : checkJson(schema, text).value
}

/** Tells a file from what it was before a change of its bytes or its name, whatever times were set. Undefined where there is none. */
export function fileIdentity(path: string): string | undefined {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return found && [found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ')
}
