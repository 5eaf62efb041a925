import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import { syncPath } from '../system/files/durable.js'
import { type ArchivedSegment, type ArchivedWal, readArchivedWal } from '../wal-archive/archived-wal.js'
import { caughtUpFor, noteCaughtUp } from '../wal-archive/caught-up.js'
import { readReceiverState } from '../wal-archive/receiver-state.js'
import { formatLsn, lastSegmentBefore } from '../wal-segments/lsn.js'
import { fileOf } from '../wal-segments/segment-forms.js'
import { copyInto, sweepArchive } from './archive-files.js'
import type { ReceiverSession } from './receiver-session.js'

/**
 * Gives a newer backup's archive what the older one has received since the newer one's snapshot, so that receiving can go on there.
 * Nobody may be receiving meanwhile. Every file is copied, never linked, and put into place in one step, oldest first: after a
 * kill at any moment the newer archive is unbroken as far as it goes, and doing it again does the rest.
 * @returns how the newer archive is then.
 */
export async function handOverArchive(from: LocalBackup, to: LocalBackup): Promise<ArchivedWal> {
  const segmentSize = recordOf(to).wal_segment_size
  await sweepArchive(layoutOf(to).wal, segmentSize)
  await copyHistories(layoutOf(from).wal, layoutOf(to).wal)
  const { chain } = readArchivedWal(layoutOf(to).wal, recordOf(to))
  // Without the first of its own there is nothing to go on from.
  const next = (chain.findLast(({ form }) => form !== 'partial')?.segment ?? -1n) + 1n || chain[0]?.segment
  for (const { directory, name, file, form } of next === undefined ? [] : segmentsFrom(next, from, to)) {
    await copyInto(join(directory, file), layoutOf(to).wal, file)
    if (form !== 'partial') await removeStale(layoutOf(to).wal, fileOf(name, 'partial'))
  }
  return readArchivedWal(layoutOf(to).wal, recordOf(to))
}

/** What follows without a gap in the older archive, however broken that is before. */
function segmentsFrom(next: bigint, from: LocalBackup, to: LocalBackup): ArchivedSegment[] {
  const record = recordOf(to)
  const begin = next * BigInt(record.wal_segment_size)
  const needs = { ...record, start_lsn: formatLsn(begin), stop_lsn: formatLsn(begin + 1n) }
  return readArchivedWal(layoutOf(from).wal, needs).chain
}

async function copyHistories(from: string, to: string): Promise<void> {
  const there = new Set(await readdir(to))
  for (const name of await readdir(from))
    if (/^[0-9A-F]{8}\.history$/.test(name) && !there.has(name)) await copyInto(join(from, name), to, name)
}

/** The snapshot's own last segment, which was unfinished then. */
async function removeStale(archive: string, name: string): Promise<void> {
  if (!(await readdir(archive)).includes(name)) return
  await unlink(join(archive, name))
  await syncPath(archive)
}

/** The same for an archive with a hole at its end. Returns whether it has become longer. */
export async function fillFrom(from: LocalBackup, to: LocalBackup): Promise<boolean> {
  const before = readArchivedWal(layoutOf(to).wal, recordOf(to)).chain.length
  return (await handOverArchive(from, to)).chain.length > before
}

/** Hands over, and remembers it: from then on a later receiver goes on there too. */
export async function handOverTo(
  { root, log, receiverReport }: ReceiverSession,
  from: LocalBackup,
  to: LocalBackup,
): Promise<void> {
  const { gap } = await receiverReport.handOver(to, () => handOverArchive(from, to))
  const known = caughtUpFor(from, readReceiverState(root))
  if (known) await noteCaughtUp(layoutOf(from).wal, known)
  await receiverReport.receiveFor(to)
  const older = readArchivedWal(layoutOf(from).wal, recordOf(from))
  const reached =
    (older.chain.at(-1)?.segment ?? -1n) >= lastSegmentBefore(recordOf(to).stop_lsn, older.segmentSize)
  const state = older.gap || !reached ? 'ends before that' : 'is complete up to there'
  log.report(
    gap
      ? `backup ${to.id} takes over, and its WAL archive is broken at ${gap.missing}: ${gap.reason}`
      : `backup ${to.id} takes over; the archive of ${from.id} ${state}`,
  )
}
