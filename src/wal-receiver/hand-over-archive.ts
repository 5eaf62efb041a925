import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backup } from '../catalog/catalog.js'
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
export async function handOverArchive(from: Backup, to: Backup): Promise<ArchivedWal> {
  const segmentSize = to.record.wal_segment_size
  await sweepArchive(to.layout.wal, segmentSize)
  await copyHistories(from.layout.wal, to.layout.wal)
  const { chain } = readArchivedWal(to.layout.wal, to.record)
  // Without the first of its own there is nothing to go on from.
  const next = (chain.findLast(({ form }) => form !== 'partial')?.segment ?? -1n) + 1n || chain[0]?.segment
  for (const { directory, name, file, form } of next === undefined ? [] : segmentsFrom(next, from, to)) {
    await copyInto(join(directory, file), to.layout.wal, file)
    if (form !== 'partial') await removeStale(to.layout.wal, fileOf(name, 'partial'))
  }
  return readArchivedWal(to.layout.wal, to.record)
}

/** What follows without a gap in the older archive, however broken that is before. */
function segmentsFrom(next: bigint, from: Backup, { record }: Backup): ArchivedSegment[] {
  const begin = next * BigInt(record.wal_segment_size)
  const needs = { ...record, start_lsn: formatLsn(begin), stop_lsn: formatLsn(begin + 1n) }
  return readArchivedWal(from.layout.wal, needs).chain
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
export async function fillFrom(from: Backup, to: Backup): Promise<boolean> {
  const before = readArchivedWal(to.layout.wal, to.record).chain.length
  return (await handOverArchive(from, to)).chain.length > before
}

/** Hands over, and remembers it: from then on a later receiver goes on there too. */
export async function handOverTo(
  { root, log, receiverReport }: ReceiverSession,
  from: Backup,
  to: Backup,
): Promise<void> {
  const { gap } = await receiverReport.handOver(to, () => handOverArchive(from, to))
  const known = caughtUpFor(from, readReceiverState(root))
  if (known) await noteCaughtUp(from.layout.wal, known)
  await receiverReport.receiveFor(to)
  const older = readArchivedWal(from.layout.wal, from.record)
  const reached =
    (older.chain.at(-1)?.segment ?? -1n) >= lastSegmentBefore(to.record.stop_lsn, older.segmentSize)
  const state = older.gap || !reached ? 'ends before that' : 'is complete up to there'
  log.report(
    gap
      ? `backup ${to.id} takes over, and its WAL archive is broken at ${gap.missing}: ${gap.reason}`
      : `backup ${to.id} takes over; the archive of ${from.id} ${state}`,
  )
}
