import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, plainSnapshotOf } from '../catalog/backup.js'
import type { ArchivedSegment } from '../wal-segments/archive-segments.js'
import { parseSegmentName } from '../wal-segments/lsn.js'

/**
 * The copy of a segment that has come with a snapshot, where there is one, and not in an image. It tells which of other copies are of the same history; the
 * snapshot's last one may have less in it than they.
 */
export function snapshotSegment(
  backup: Pick<LocalBackup, 'directory' | 'form' | 'summary'>,
  name: string,
): ArchivedSegment | undefined {
  // What somebody has unpacked beside the image by hand is no part of the backup.
  if (backup.form === 'packed') return undefined
  const size = backup.summary.wal_segment_size
  const place = parseSegmentName(name, size)
  const wal = join(plainSnapshotOf(backup).data, 'pg_wal')
  const found = lstatSync(join(wal, name), { throwIfNoEntry: false })
  if (!place || !found?.isFile() || found.size !== size) return undefined
  return { ...place, name, form: 'raw', directory: wal, file: name, bytes: size }
}
