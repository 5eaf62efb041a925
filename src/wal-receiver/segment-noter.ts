import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, recordOf } from '../catalog/backup.js'
import type { RootLayout } from '../catalog/layout.js'
import { majorOf } from '../catalog/record.js'
import type { Environment } from '../context.js'
import { type Installation, programOf } from '../postgres/programs/find.js'
import { readPiece } from '../system/files/read-small.js'
import { type ArchivedSegment, type ArchivedWal, walOfSegments } from '../wal-archive/archived-wal.js'
import { fileIdentity, type SegmentNote, SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { readAndNote } from '../wal-reading/note-segments.js'
import { withWaldumpDirectory } from '../wal-reading/waldump-directory.js'
import { formatLsn, parseSegmentName, recordEnd, segmentName } from '../wal-segments/lsn.js'
import { readWalPage } from '../wal-segments/wal-page.js'

/** Reads finished segments when they have just been received, so that nobody has to read them before a recovery. */
export interface SegmentNoter {
  /** What there is to note of a raw segment; undefined where its next one is not finished, or it cannot be read. */
  read(archive: string, name: string): Promise<SegmentNote | undefined>
  /** Notes it of the segment in the form that it has now. */
  keep(archive: string, file: string, note: SegmentNote | undefined): Promise<void>
  /** Whether there is a note of a raw segment. */
  isNoted(archive: string, name: string): boolean
}

interface NoterOptions {
  root: RootLayout
  target: LocalBackup
  installations: Installation[]
  env: Environment
  signal: AbortSignal
}

/** Undefined where pg_waldump of the server's major is not installed. */
export function segmentNoter({
  root,
  target,
  installations,
  ...options
}: NoterOptions): SegmentNoter | undefined {
  const record = recordOf(target)
  const major = majorOf(record)
  const program = programOf(major, 'pg_waldump', installations)
  if (program === undefined) return undefined
  const known = new SegmentNotes(root.backups)
  const size = record.wal_segment_size
  const limits = { major, systemIdentifier: record.server.system_identifier, lastToRead: 1, isBeside: true }
  // Each segment is the next one of another first.
  let digests = new Map<string, string>()
  return {
    read: async (archive, name) => {
      try {
        const wal = pairFrom(archive, name, size)
        const next = wal.chain[1]
        if (!next) return undefined
        const step = { first: 0, last: 0 }
        const until = { ...limits, endLsn: endOfRecord(next, size) }
        const made = new Map<string, string>()
        const { notes } = await withWaldumpDirectory(program, wal, options, (waldump) =>
          readAndNote(waldump, step, until, () => true, { known: digests, made }),
        )
        digests = made
        return notes[0]?.note
      } catch {
        options.signal.throwIfAborted()
        return undefined // whoever needs to know reads it then
      }
    },
    keep: async (archive, file, note) => {
      const identity = fileIdentity(join(archive, file))
      if (note && identity !== undefined)
        await new SegmentNotes(root.backups).add(archive, [{ ...note, file: identity }])
    },
    isNoted: (archive, name) => {
      const segment = rawSegment(archive, name, size)
      return segment !== undefined && known.fitting(segment).length > 0
    },
  }
}

function rawSegment(directory: string, name: string, size: number): ArchivedSegment | undefined {
  const place = parseSegmentName(name, size)
  const found = lstatSync(join(directory, name), { throwIfNoEntry: false })
  if (!place || !found?.isFile() || found.size !== size) return undefined
  return { name, ...place, form: 'raw', directory, file: name, bytes: size }
}

/** A raw segment, and the next one where that is finished too. */
function pairFrom(directory: string, name: string, segmentSize: number): ArchivedWal {
  const place = parseSegmentName(name, segmentSize)
  const next = place && segmentName(place.timeline, place.segment + 1n, segmentSize)
  const chain = [name, next ?? '']
    .map((one) => rawSegment(directory, one, segmentSize))
    .filter((one) => one !== undefined)
  return walOfSegments(directory, chain, segmentSize)
}

/** Where the record ends that goes on in a segment, so that no more of that is read; after a SWITCH none goes on. */
function endOfRecord({ directory, file, segment }: ArchivedSegment, size: number): string {
  const header = 40
  const start = segment * BigInt(size)
  const { remaining } = readWalPage(readPiece(join(directory, file), 0, header))
  return formatLsn(remaining === 0 ? start : recordEnd(start + BigInt(header), remaining, size))
}
