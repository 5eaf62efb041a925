import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { type Fault, messageOf, PgbkError } from '../errors.js'
import type { Installation } from '../postgres/programs/find.js'
import { filesInArchive } from '../wal-archive/archive-listing.js'
import { type ArchivedWal, type ArchiveGap, readArchivedWal } from '../wal-archive/archived-wal.js'
import { type WalPool, walPool } from '../wal-archive/wal-pool.js'
import { type JoiningOptions, joinedWal } from '../wal-coverage/joined-wal.js'
import { lastSegmentBefore, parseSegmentName } from '../wal-segments/lsn.js'
import { segmentPieces } from '../wal-segments/segment-file.js'
import { isFinished, type SegmentForm, segmentFileOf } from '../wal-segments/segment-forms.js'
import { NotUnpacked, type Unpacking } from '../wal-segments/unpacked-pieces.js'
import { type ExpectedSegment, readSegment } from './segment-pages.js'

interface WalCheck {
  faults: Fault[]
  segments: number
  /** On disk. */
  bytes: number
}

/**
 * Whether the WAL archive is unbroken, and every file in it is the segment that its name says.
 * @param catalog all backups of the root: what is missing may be taken from their archives.
 */
export async function checkWal(
  backup: LocalBackup,
  catalog: Catalog,
  installations: Installation[],
  { env, progress, signal }: Context,
): Promise<WalCheck> {
  const [record, layout] = [recordOf(backup), layoutOf(backup)]
  const wal = readArchivedWal(layout.wal, record)
  const files = segmentFiles(layout.wal, record)
  const joining = { env, signal, installations: async () => installations }
  const gapFaults = wal.gap ? [await gapFault(wal.gap, backup, walPool(catalog), joining)] : []
  const faults = [...gapFaults, ...historyFaults(wal)]
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let magic: number | undefined
  let done = 0
  for (const file of files) {
    signal.throwIfAborted()
    const look = async () => {
      const reader = readSegment({ ...expectedOf(file, wal, record), magic })
      const problem = await readThrough(join(layout.wal, file.name), record.wal_segment_size, reader.take, {
        env,
        signal,
      })
      magic ??= reader.magic()
      return problem ?? reader.fault()
    }
    const fault = !isFinished(file) ? await lasting(look) : await look()
    if (fault !== undefined && isStillThere(file, layout.wal))
      faults.push({ file: `wal/${file.name}`, problem: fault })
    done += file.bytes
    progress.bytes(done, total)
  }
  return { faults, segments: files.length, bytes: total }
}

const mostLooks = 5

/** A receiver may be writing: what it has not yet written when it is read is not a fault, but is somewhere else at the next look. */
async function lasting(look: () => Promise<string | undefined>): Promise<string | undefined> {
  let before = await look()
  for (let looks = 1; before !== undefined && looks < mostLooks; looks++) {
    const now = await look()
    if (now === before) return now
    before = now
  }
  return undefined
}

interface SegmentFile {
  name: string
  form: SegmentForm
  timeline: number
  segment: bigint
  bytes: number
}

/**
 * In order; what has another name is not a segment. Nor is an unfinished one of a wrong size, but for the snapshot's own: a receiver that
 * was killed had only begun to fill it with zeros.
 */
function segmentFiles(directory: string, record: BackupRecord): SegmentFile[] {
  const { wal_segment_size: segmentSize } = record
  return filesInArchive(directory)
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap(({ name, bytes }) => {
      const file = segmentFileOf(name)
      const place = file && parseSegmentName(file.name, segmentSize)
      if (!place) return []
      if (!isFinished(file) && place.segment > lastOwn(record) && bytes !== segmentSize) return []
      return [{ name, form: file.form, ...place, bytes }]
    })
}

/** What is wrong with the segment before the gap, or missing, is told by its name. */
async function gapFault(
  { missing, next, reason }: ArchiveGap,
  backup: LocalBackup,
  pool: WalPool,
  joining: JoiningOptions,
): Promise<Fault> {
  const archive = await takenFrom(missing, () => joinedWal(backup, pool, joining))
  const unreached = next === undefined ? '' : `; what follows from ${next} on cannot be reached`
  const rest = archive === undefined ? unreached : `; the copy in ${archive} is used`
  return { file: `wal/${missing}`, problem: reason + rest }
}

/** The archive in which a chain has a segment; undefined where it cannot be told. */
async function takenFrom(segment: string, join: () => Promise<ArchivedWal>): Promise<string | undefined> {
  try {
    return (await join()).chain.find(({ name }) => name === segment)?.directory
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'programs-missing') return undefined
    throw error
  }
}

function historyFaults({ faults }: ArchivedWal): Fault[] {
  return faults.map(({ file, problem }) => ({ file: `wal/${file}`, problem }))
}

/** The last segment that the snapshot itself needs. */
function lastOwn({ stop_lsn, wal_segment_size }: BackupRecord): bigint {
  return lastSegmentBefore(stop_lsn, wal_segment_size)
}

function expectedOf(
  { form, timeline, segment }: SegmentFile,
  { timelines }: ArchivedWal,
  record: BackupRecord,
): ExpectedSegment {
  const segmentSize = record.wal_segment_size
  const start = segment * BigInt(segmentSize)
  const part = timelines.find((one) => one.timeline === timeline)
  const isFirst = part === timelines[0]
  return {
    start,
    segmentSize,
    systemIdentifier: record.server.system_identifier,
    timeline,
    mayBeOlder: part === undefined || isFirst || part.fromLsn > start,
    mayBeEmpty: !isFinished({ form }) && segment > lastOwn(record),
    magic: undefined,
  }
}

/** Returns why it cannot be read to its end, if it cannot. */
async function readThrough(
  path: string,
  segmentSize: number,
  take: (piece: Buffer) => void,
  place: Unpacking,
): Promise<string | undefined> {
  const { signal } = place
  try {
    for await (const piece of segmentPieces(path, segmentSize, place)) {
      signal.throwIfAborted()
      take(piece)
    }
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NotUnpacked) return `it cannot be unpacked: ${error.said}`
    if (error instanceof PgbkError && error.code === 'programs-missing') throw error
    return `it cannot be read: ${messageOf(error)}`
  }
}

/** A receiver compresses segments, and completes the last one, while they are looked at. */
function isStillThere({ name }: SegmentFile, directory: string): boolean {
  return existsSync(join(directory, name))
}
