/**
 * Log sequence numbers (LSN, a byte position in the WAL, written `16/B374D848`) and the names of WAL segments.
 * The rules are those of PostgreSQL's src/include/access/xlog_internal.h.
 */

/** @throws {RangeError} when the text is no LSN. */
export function parseLsn(text: string): bigint {
  const parts = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text)
  if (!parts) throw new RangeError(`not an LSN: ${text}`)
  return (BigInt(`0x${parts[1]}`) << 32n) | BigInt(`0x${parts[2]}`)
}

/** The number of the segment that holds the byte at this position. */
export function segmentNumber(lsn: bigint, segmentSize: number): bigint {
  return lsn / BigInt(segmentSize)
}

/** The 24 hexadecimal digits of a segment's file name (XLogFileName). */
export function segmentName(timeline: number, segment: bigint, segmentSize: number): string {
  const perId = 0x1_0000_0000n / BigInt(segmentSize)
  return hex8(BigInt(timeline)) + hex8(segment / perId) + hex8(segment % perId)
}

function hex8(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, '0')
}
