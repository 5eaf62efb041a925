import { longHeader, shortHeader, walPageSize } from './wal-page.js'

/**
 * Log sequence numbers (LSN, a byte position in the WAL, written `16/B374D848`) and the names of WAL segments.
 * The rules are those of PostgreSQL's src/include/access/xlog_internal.h.
 */

/** @throws {RangeError} when the text is not an LSN. */
export function parseLsn(text: string): bigint {
  const parts = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text)
  if (!parts) throw new RangeError(`not an LSN: ${text}`)
  return BigInt(hexNumber(parts[1])) * 0x1_0000_0000n + BigInt(hexNumber(parts[2]))
}

/** Whether an LSN is before another. */
export function isBefore(lsn: string, other: string): boolean {
  return parseLsn(lsn) < parseLsn(other)
}

/** The number of the segment that holds the byte at this position. */
export function segmentNumber(lsn: bigint, segmentSize: number): bigint {
  return lsn / BigInt(segmentSize)
}

/** The number of the segment that holds the last byte before a position: the last that is needed to get there. */
export function lastSegmentBefore(lsn: string, size: number): bigint {
  return segmentNumber(parseLsn(lsn) - 1n, size)
}

/** The 24 hexadecimal digits of a segment's file name (XLogFileName). */
export function segmentName(timeline: number, segment: bigint, segmentSize: number): string {
  const perId = 0x1_0000_0000 / segmentSize
  const number = Number(segment)
  return hex8(timeline) + hex8(Math.floor(number / perId)) + hex8(number % perId)
}

function hex8(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0')
}

function hexNumber(digits = ''): number {
  return Number.parseInt(digits, 16)
}

/** An LSN as PostgreSQL 18 and older write it, without leading zeros: `16/B374D848`. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}

export interface SegmentPlace {
  timeline: number
  /** Its number, counted from the beginning of the WAL. */
  segment: bigint
}

/** What the 24 digits of a segment's name say; undefined when they cannot be a segment of this size (IsXLogFileName). */
export function parseSegmentName(name: string, segmentSize: number): SegmentPlace | undefined {
  const parts = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name)
  if (!parts) return undefined
  const [timeline = 0, id = 0, low = 0] = parts.slice(1).map((digits) => Number.parseInt(digits, 16))
  const perId = 0x1_0000_0000 / segmentSize
  return low < perId ? { timeline, segment: BigInt(id) * BigInt(perId) + BigInt(low) } : undefined
}

const pageSize = BigInt(walPageSize)

/** Where a record of this total length that begins here ends (XLogReadRecord): its pages' headers count, then 8 bytes' alignment. */
export function recordEnd(start: bigint, length: number, segmentSize: number): bigint {
  let position = start
  let left = BigInt(length)
  for (;;) {
    const room = pageSize - (position % pageSize)
    if (left <= room) return (position + left + 7n) & ~7n
    position += room
    left -= room
    position += position % BigInt(segmentSize) === 0n ? BigInt(longHeader) : BigInt(shortHeader)
  }
}
