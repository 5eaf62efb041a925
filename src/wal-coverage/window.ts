import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { LocalBackup, StoredBackup } from '../catalog/backup.js'
import { windowStart } from '../catalog/data-time.js'
import { v } from '../schema.js'
import { tryToWriteNote } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'
import {
  type ArchivedSegment,
  type ArchivedWal,
  type ArchiveGap,
  countOf,
  lastOf,
} from '../wal-archive/archived-wal.js'
import type { CaughtUp } from '../wal-archive/caught-up.js'
import { gapNoteName } from '../wal-archive/gap-note.js'
import { fileIdentity } from '../wal-archive/notes/segment-notes.js'
import type { WalPool } from '../wal-archive/wal-pool.js'
import { pathOf } from '../wal-segments/archive-segments.js'
import { lastSegmentBefore, segmentName } from '../wal-segments/lsn.js'
import { filesOf, finishedForms, segmentFileOf } from '../wal-segments/segment-forms.js'
import { ownSegments, type SegmentRange } from '../wal-segments/segment-range.js'

/** The times that a backup can be restored to, and the positions that go with them. */
export interface BackupWindow {
  /** ISO 8601, UTC: the snapshot's end. */
  from: string
  from_lsn: string
  /** ISO 8601, UTC, to the microsecond where it is the time of a commit. */
  to: string
  /** The end of the last record, or of what had been received at `to`. */
  to_lsn: string
  /** The timeline at its end. */
  timeline: number
  /** What its end is: the snapshot's, the last commit in the archive, or the time at which a receiver had everything. */
  ends_with: 'snapshot' | 'commit' | 'caught-up'
  /** How many segments the unbroken archive has. */
  segments: number
  /** What breaks the archive, and so ends the window. */
  gap: ArchiveGap | undefined
  /** Why the archive's end is not known; `to` is then a time that can be reached in any case. */
  fault: string | undefined
}

/** The window of a backup whose archive is of no use beyond its snapshot. */
export function snapshotWindow(
  { summary }: LocalBackup,
  wal: Pick<ArchivedWal, 'runs' | 'gap'> | { segments: number },
): BackupWindow {
  const from = windowStart(summary)
  return {
    from,
    from_lsn: summary.stop_lsn,
    to: from,
    to_lsn: summary.stop_lsn,
    timeline: summary.timeline,
    ends_with: 'snapshot',
    segments: 'segments' in wal ? wal.segments : countOf(wal),
    gap: 'segments' in wal ? undefined : wal.gap,
    fault: undefined,
  }
}

/**
 * Whether an archive has nothing but what its snapshot brought: no segment after the one of the snapshot's end, and that one not
 * written to since.
 */
export function holdsSnapshotOnly({ summary }: Pick<StoredBackup, 'summary'>, wal: ArchivedWal): boolean {
  if (summary.standby?.has_more_wal) return false
  const last = lastOf(wal)
  const ofSnapshot = lastSegmentBefore(summary.stop_lsn, summary.wal_segment_size)
  if (!last || last.segment < ofSnapshot) return true
  if (last.segment > ofSnapshot) return false
  const written = statSync(join(last.directory, last.file), { throwIfNoEntry: false })
  return written !== undefined && written.mtimeMs <= Date.parse(summary.finished_at)
}

/**
 * The window of a backup whose archive holds its snapshot only and has nothing that goes on from it, for thousands of backups: from names
 * alone, but for the last segment. Undefined when they do not tell.
 */
export function quickWindow(backup: LocalBackup, pool: WalPool): BackupWindow | undefined {
  const { summary, directory } = backup
  if (summary.standby?.has_more_wal) return undefined
  const names = pool.namesOf(backup)
  if (!names) return undefined
  const { stop_lsn, timeline, wal_segment_size: size } = summary
  const ofSnapshot = ownSegments(summary)
  const segment = lastSegmentBefore(stop_lsn, size)
  const last = segmentName(timeline, segment, size)
  // Far fewer than a record may make up.
  if (ofSnapshot.count > names.length || names.includes(gapNoteName)) return undefined
  if (names.some((name) => name.slice(8, 24) > last.slice(8) && segmentFileOf(name))) return undefined
  const file = lastOfAll(ofSnapshot, names)
  if (file === undefined) return undefined
  // A receiver may have renamed it since.
  const written = statSync(`${directory}/wal/${file}`, { throwIfNoEntry: false })
  if (!written || written.size !== size || written.mtimeMs > Date.parse(summary.finished_at)) return undefined
  return pool.mayGoOn({ timeline, segment, isPartial: segmentFileOf(file)?.form === 'partial' }, size)
    ? undefined
    : snapshotWindow(backup, { segments: ofSnapshot.count })
}

/** The file of the last segment of a range, where all of them are there. */
function lastOfAll(range: SegmentRange, names: string[]): string | undefined {
  const there = new Set(names)
  let file: string | undefined
  for (const name of range.names()) {
    file = filesOf(name).find((one) => there.has(one))
    if (file === undefined) return undefined
  }
  return file
}

const place = v.object({ lsn: v.string(), time: v.string() })
const schema = v.object({
  /** As `endKey` tells it. */
  through: v.string(),
  /** The last finished segments of this archive, as `fileIdentity` tells them. */
  files: v.optional(v.record(v.string(), v.string())),
  segment: v.pipe(v.string(), v.regex(/^\d+$/)),
  end_lsn: v.string(),
  commit: v.nullable(place),
})

/** What was found at the end of an archive, so that it need not be read again. */
export type KnownEnd = v.InferOutput<typeof schema>

/** In a backup's `wal/`; it may be removed at any time. */
const fileName = '.pgbk-window.json'

/** Those at the end have no notes yet, which would tell that they were changed. */
const mostAtEnd = 3

/** Tells whether the archive still ends as it did, with the same files. */
export function endKey(wal: Pick<ArchivedWal, 'runs' | 'segmentSize'>): string {
  return lastSegments(wal)
    .map((one) => `${one.file} ${one.form} ${fileIdentity(pathOf(one))}`)
    .join(', ')
}

/** The last finished segments of a chain, by name, as their files are. */
export function filesAtEnd(wal: Pick<ArchivedWal, 'runs' | 'segmentSize'>): Record<string, string> {
  const finished = lastSegments(wal).filter(({ form }) => form !== 'partial')
  return Object.fromEntries(finished.map((one) => [one.name, fileIdentity(pathOf(one)) ?? '']))
}

function lastSegments({ runs, segmentSize }: Pick<ArchivedWal, 'runs' | 'segmentSize'>): ArchivedSegment[] {
  const { archive, to } = runs.at(-1) ?? {}
  if (!archive || !to) return []
  const earlier = Array.from({ length: mostAtEnd - 1 }, (_, index) => {
    const name = segmentName(to.timeline, to.segment - BigInt(index + 1), segmentSize)
    return archive.found.get(name)?.segment
  })
  return [to, ...earlier.filter((one) => one !== undefined)]
}

/**
 * The names of segments at an archive's end whose files are others than when that was noted; none where that is so of several and none
 * is as it was: then the archive was copied.
 */
export function changedAtEnd(directory: string): string[] {
  const noted = Object.entries(readKnownEnd(directory)?.files ?? {})
  const changed = noted.filter(([name, identity]) => {
    const now = filesOf(name, finishedForms).map((file) => fileIdentity(join(directory, file)))
    return now.some((one) => one !== undefined) && !now.includes(identity)
  })
  return changed.length > 1 && changed.length === noted.length ? [] : changed.map(([name]) => name)
}

export function readKnownEnd(directory: string): KnownEnd | undefined {
  return readNote(schema, join(directory, fileName))
}

/** Only a help for the next time: where it cannot be written, it is not. */
export function writeKnownEnd(directory: string, known: KnownEnd): void {
  tryToWriteNote(join(directory, fileName), known)
}

/** Up to the last commit, or to when a receiver had everything. @param end of the WAL, and the last commit in it. */
export function windowTo(
  backup: LocalBackup,
  wal: ArchivedWal,
  { end_lsn: to_lsn, commit }: Pick<KnownEnd, 'end_lsn' | 'commit'>,
  known: CaughtUp | undefined,
): BackupWindow {
  const window = snapshotWindow(backup, wal)
  const timeline = lastOf(wal)?.timeline ?? window.timeline
  const last = Math.max(Date.parse(window.from), commit ? Date.parse(commit.time) : 0)
  if (known && Date.parse(known.at) > last)
    return { ...window, to: known.at, to_lsn, timeline, ends_with: 'caught-up' }
  // The clocks of two machines differ, and the copying ends before the backup is finished.
  if (!commit || Date.parse(commit.time) <= Date.parse(window.from)) return { ...window, to_lsn, timeline }
  return { ...window, to: commit.time, to_lsn, timeline, ends_with: 'commit' }
}
