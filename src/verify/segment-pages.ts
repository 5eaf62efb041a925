import { formatLsn } from '../wal-segments/lsn.js'
import { readWalPage, type WalPage, walPageSize } from '../wal-segments/wal-page.js'

/** What a segment's pages must say about themselves. */
export interface ExpectedSegment {
  /** Its first byte's position in the WAL. */
  start: bigint
  segmentSize: number
  systemIdentifier: string
  timeline: number
  /** Its timeline may begin in the middle of it: up to there the pages are of an older one. */
  mayBeOlder: boolean
  /** Nothing may have been written to it yet. */
  mayBeEmpty: boolean
  /** That of all segments, as soon as one is known. */
  magic: number | undefined
}

/** Looks at the pages of one segment as they come, in pieces of any size. */
interface SegmentReader {
  take(piece: Buffer): void
  /** What is wrong, once all pieces are there. */
  fault(): string | undefined
  magic(): number | undefined
}

/** The headers of all pages are checked: zeros in the middle of a segment would end a recovery without a word. */
export function readSegment(expected: ExpectedSegment): SegmentReader {
  let rest: Buffer = Buffer.alloc(0)
  let offset = 0
  let bytes = 0
  let fault: string | undefined
  let magic = expected.magic
  let emptyAt: number | undefined
  const look = (page: Buffer) => {
    const header = readWalPage(page)
    if (isEmpty(page)) emptyAt ??= offset
    else if (emptyAt !== undefined) fault ??= `it is zeroed at byte ${emptyAt}`
    else fault ??= pageFault(header, offset, { ...expected, magic })
    if (fault === undefined && header.magic !== 0) magic ??= header.magic
  }
  return {
    take(piece) {
      bytes += piece.length
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      let position = 0
      for (; rest.length - position >= walPageSize; position += walPageSize) {
        look(rest.subarray(position, position + walPageSize))
        offset += walPageSize
      }
      rest = rest.subarray(position)
    },
    fault() {
      if (bytes > expected.segmentSize) return `it has more than ${expected.segmentSize} bytes`
      if (bytes !== expected.segmentSize) return `it has ${bytes} bytes instead of ${expected.segmentSize}`
      if (emptyAt === 0 && !expected.mayBeEmpty) return 'its header is zeroed'
      return fault
    },
    magic: () => magic,
  }
}

function isEmpty(page: Buffer): boolean {
  return page.subarray(0, 24).every((byte) => byte === 0)
}

function pageFault(page: WalPage, offset: number, expected: ExpectedSegment): string | undefined {
  const address = expected.start + BigInt(offset)
  const at = offset === 0 ? 'its header' : `its page at byte ${offset}`
  if (page.magic === 0) return `${at} is zeroed`
  if (expected.magic !== undefined && page.magic !== expected.magic)
    return `${at} is of another version of PostgreSQL (${hex(page.magic)} instead of ${hex(expected.magic)})`
  if (offset === 0) {
    const fault = longFault(page.long, expected)
    if (fault !== undefined) return fault
  }
  if (page.address !== address)
    return `${at} belongs at ${formatLsn(page.address)}, not at ${formatLsn(address)}`
  const isRight = page.timeline === expected.timeline
  if (isRight || (expected.mayBeOlder && page.timeline < expected.timeline)) return undefined
  return `${at} is of timeline ${page.timeline}, not ${expected.timeline}`
}

function longFault(long: WalPage['long'], expected: ExpectedSegment): string | undefined {
  if (!long) return 'it does not begin as a segment does'
  if (long.systemIdentifier !== expected.systemIdentifier)
    return `it is of another cluster (system identifier ${long.systemIdentifier})`
  if (long.segmentSize !== expected.segmentSize)
    return `it is made for segments of ${long.segmentSize} bytes, not ${expected.segmentSize}`
  return long.pageSize === walPageSize
    ? undefined
    : `its pages have ${long.pageSize} bytes, not ${walPageSize}`
}

function hex(magic: number): string {
  return magic.toString(16).toUpperCase()
}
