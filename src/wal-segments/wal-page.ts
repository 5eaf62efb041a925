import { endianness } from 'node:os'

/**
 * The headers of WAL pages (XLogPageHeaderData, XLogLongPageHeaderData in src/include/access/xlog_internal.h). They are written in
 * the byte order of the machine, and only such a machine can use the backup.
 */
export interface WalPage {
  /** Tells the major version; 0 on a page that nothing was written to. */
  magic: number
  timeline: number
  /** The page's own position in the WAL. */
  address: bigint
  /** How many bytes of a record that began on an earlier page are still to come here and behind it. */
  remaining: number
  /** Only the first page of a segment has these. */
  long: { systemIdentifier: string; segmentSize: number; pageSize: number } | undefined
}

/** Pages of WAL are nearly always this large (`--with-wal-blocksize`); each begins with a header. */
export const walPageSize = 8192
/** The bytes of a page's header; the long one is that of a segment's first page. */
export const [shortHeader, longHeader] = [24, 40]
const [beginsInside, hasLongHeader] = [0x0001, 0x0002]
const little = endianness() === 'LE'

/** @param bytes at least the first 40 of a page. */
export function readWalPage(bytes: Buffer): WalPage {
  const two = (at: number) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at))
  const four = (at: number) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const eight = (at: number) => (little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
  const isLong = (two(2) & hasLongHeader) !== 0
  return {
    magic: two(0),
    timeline: four(4),
    address: eight(8),
    remaining: (two(2) & beginsInside) === 0 ? 0 : four(16),
    long: isLong
      ? { systemIdentifier: String(eight(24)), segmentSize: four(32), pageSize: four(36) }
      : undefined,
  }
}

/** The header of a record (XLogRecord in src/include/access/xlogrecord.h), without which there is none. */
const leastRecord = 24

/** Which bytes of a page belong to records: from the first to before the second. The rest is headers, and filling between records. */
export function recordBytes(page: Buffer): [number, number][] {
  const { remaining, long } = readWalPage(page)
  const aligned = (at: number) => Math.ceil(at / 8) * 8
  const header = long ? longHeader : shortHeader
  const found: [number, number][] = remaining > 0 ? [[header, header + remaining]] : []
  for (let at = aligned(header + remaining); at <= page.length - 8; ) {
    const length = little ? page.readUInt32LE(at) : page.readUInt32BE(at)
    if (length < leastRecord) break
    found.push([at, at + length])
    at = aligned(at + length)
  }
  return found.map(([from, to]) => [from, Math.min(to, page.length)])
}
