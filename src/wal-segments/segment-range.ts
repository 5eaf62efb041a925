import { PgbkError } from '../errors.js'
import type { WalRange } from '../snapshot/manifest/manifest-parser.js'
import { lastSegmentBefore, parseLsn, parseSegmentName, segmentName, segmentNumber } from './lsn.js'

/** The segments that hold a range of WAL. */
export interface SegmentRange {
  readonly count: number
  /** Whether the 24 digits of a name are one of them. */
  has(name: string): boolean
  /** Their names, in order, made when they are asked for. */
  names(): Generator<string>
}

/** No real server writes a million segments of WAL while a backup is made. */
export const mostSegments = 1 << 20

/**
 * The segments of a range, whose end is exclusive.
 * @throws {PgbkError} `damaged` for a range that ends before it begins, or has more than a million segments.
 */
export function segmentRange({ timeline, startLsn, endLsn }: WalRange, segmentSize: number): SegmentRange {
  const first = segmentNumber(parseLsn(startLsn), segmentSize)
  const last = lastSegmentBefore(endLsn, segmentSize)
  const count = last - first + 1n
  if (count < 1n || count > mostSegments)
    throw new PgbkError('damaged', `there is no WAL from ${startLsn} to ${endLsn} that a backup could need`)
  return {
    count: Number(count),
    has: (name) => {
      const place = parseSegmentName(name, segmentSize)
      return place?.timeline === timeline && place.segment >= first && place.segment <= last
    },
    *names() {
      for (let segment = first; segment <= last; segment++) yield segmentName(timeline, segment, segmentSize)
    },
  }
}

/** Those that the snapshot of a record needs. */
export function ownSegments(record: {
  timeline: number
  start_lsn: string
  stop_lsn: string
  wal_segment_size: number
}): SegmentRange {
  const { timeline, start_lsn: startLsn, stop_lsn: endLsn, wal_segment_size: size } = record
  return segmentRange({ timeline, startLsn, endLsn }, size)
}
