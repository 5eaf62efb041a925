import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import { syncPath } from '../system/files/durable.js'
import { lastSegmentBefore, parseLsn, parseSegmentName, segmentNumber } from '../wal-segments/lsn.js'
import { packingAt } from '../wal-segments/segment-file.js'
import { fileOf, segmentFileOf, segmentIn } from '../wal-segments/segment-forms.js'
import { waitForNewer } from './receiver-pauses.js'
import type { ReceiverSession } from './receiver-session.js'

/** A history that left ours before the snapshot's end leads nowhere from this backup; what it has stays reachable. */
export async function followFork(
  session: ReceiverSession,
  target: LocalBackup,
  forkLsn: string,
): Promise<void> {
  if (parseLsn(forkLsn) >= parseLsn(recordOf(target).stop_lsn))
    return await moveDivergedWal(session, target, forkLsn)
  await waitForNewer(
    session,
    target,
    `the server has another history from ${forkLsn} on, before the end of backup ${target.id}: was it restored? Nothing of it belongs to that backup, whose archive stays as it is`,
  )
}

/**
 * After a failover to a standby that had received less than this archive has: its history leaves ours at a position before our
 * end. What comes after it is no longer on any server; it is kept beside the archive, in `diverged/`, and receiving goes on from
 * the segment where the histories part.
 */
async function moveDivergedWal(
  { log }: ReceiverSession,
  backup: LocalBackup,
  forkLsn: string,
): Promise<void> {
  const layout = layoutOf(backup)
  const record = recordOf(backup)
  const fork = segmentNumber(parseLsn(forkLsn), record.wal_segment_size)
  const lastOfSnapshot = lastSegmentBefore(record.stop_lsn, record.wal_segment_size)
  const place = join(layout.wal, 'diverged')
  await mkdir(place, { recursive: true })
  const files = await readdir(layout.wal)
  const placeOf = (file: string) => parseSegmentName(segmentIn(file) ?? '', record.wal_segment_size)
  const newest = files
    .map(placeOf)
    .reduce((most, one) => (one && one.segment > (most?.segment ?? -1n) ? one : most))
  for (const name of files) {
    const found = placeOf(name)
    if (found?.timeline !== newest?.timeline || found === undefined || found.segment < fork) continue
    // The snapshot needs what comes before the position in its last segment; the new history's own file replaces it.
    const stays = found.segment === lastOfSnapshot && !packingAt(name)
    if (!stays) await rename(join(layout.wal, name), join(place, name))
    else if (segmentFileOf(name)?.form === 'raw')
      await rename(join(layout.wal, name), join(layout.wal, fileOf(name, 'partial')))
  }
  await syncPath(place)
  await syncPath(layout.wal)
  log.trouble(
    `the server has another history from ${forkLsn} on: it was promoted before it had all WAL that is archived here. What backup ${backup.id} has beyond that is kept in ${place}`,
  )
}
