import type { Extent } from '../squashfs/stored-image.js'
import { type FirstReads, firstReadsOf } from './first-reads.js'
import type { ImageReader } from './image-reader.js'

/** Is told of each read, at once. */
export type Notice = (position: number, length: number) => void

interface WaitingDatabase {
  extents: Extent[]
  /** Pages that are read for nothing else: small files of several databases lie in one block, and two blocks in one page. */
  own: Extent[]
}

/** In what the kernel reads a file. */
const pageSize = 4096

/**
 * Fetches together what a start will read, before that reads it piece by piece, each for a round trip; and, when the first catalog of a
 * database is read, what a session of that reads. An image where it is not found is read as it comes.
 */
export function expectFirstReads(bytes: number, reader: ImageReader): Notice {
  let waiting: WaitingDatabase[] = []
  const begin = async () => {
    const read = (position: number, length: number) => reader.read(position, length)
    const reads = await firstReadsOf(bytes, read, reader.expect)
    waiting = waitingFor(reads)
    reader.expect(reads.ofStart)
  }
  // Who reads the same is told what is wrong with it.
  begin().catch(() => {})
  return (position, length) => {
    const isRead = ({ own }: WaitingDatabase) =>
      own.some(([from, to]) => from < to && from < position + length && to > position)
    const opened = waiting.filter(isRead)
    if (opened.length === 0) return
    waiting = waiting.filter((one) => !opened.includes(one))
    for (const { extents } of opened) reader.expect(extents)
  }
}

function waitingFor({ ofStart, ofDatabases }: FirstReads): WaitingDatabase[] {
  const readers = new Map<string, number>()
  for (const extents of [ofStart, ...ofDatabases])
    for (const place of new Set(extents.map(String))) readers.set(place, (readers.get(place) ?? 0) + 1)
  return ofDatabases.map((extents) => ({
    extents,
    own: extents.filter((extent) => readers.get(String(extent)) === 1).map(wholePagesIn),
  }))
}

function wholePagesIn([from, to]: Extent): Extent {
  return [Math.ceil(from / pageSize) * pageSize, Math.floor(to / pageSize) * pageSize]
}
