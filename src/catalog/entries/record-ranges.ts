import { v } from '../../schema.js'
import { parseLsn } from '../../wal-segments/lsn.js'
import { mostSegments } from '../../wal-segments/segment-range.js'
import type { PackedFacts } from './record-fields.js'

interface Positions {
  start_lsn: string
  stop_lsn: string
  checkpoint_lsn?: string
  wal_segment_size: number
  size_bytes: number
}

/** More segments than the backup has bytes for: those that it begins and ends in, and what was rounded. */
const spareSegments = 16n

/**
 * What the positions of a record must be to each other: it starts before its checkpoint and its end, and all WAL in between came with the
 * snapshot, and so is no larger than that.
 */
export function ranges<T extends Positions>() {
  return v.rawCheck<T>(({ dataset, addIssue }) => {
    // What is wrong with one of them has been told.
    if (!dataset.typed || dataset.issues || isPossible(dataset.value)) return
    addIssue({ message: 'its start_lsn, checkpoint_lsn and stop_lsn cannot be those of a backup' })
  })
}

function isPossible(record: Positions): boolean {
  const [start, stop] = [parseLsn(record.start_lsn), parseLsn(record.stop_lsn)]
  const checkpoint = parseLsn(record.checkpoint_lsn ?? record.start_lsn)
  if (start < 1n || start >= stop || checkpoint < start || checkpoint >= stop) return false
  const size = BigInt(record.wal_segment_size)
  const most = BigInt(record.size_bytes) / size + spareSegments
  const bounded = most < BigInt(mostSegments) ? most : BigInt(mostSegments) - spareSegments
  return (stop - start) / size <= bounded
}

/** A record is of the packed format exactly when it tells of an image. */
export function formOf<T extends { format: 1 | 2; packed?: PackedFacts | undefined }>() {
  return v.check<T, string>(
    ({ format, packed }) => (format === 2) === (packed !== undefined),
    'its format and the entry packed contradict each other',
  )
}
