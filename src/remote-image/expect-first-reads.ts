import { type FirstReads, firstReadsOf } from './first-reads.js'
import type { ImageReader } from './image-reader.js'

/** Is told of each read, at once. */
export type Notice = (position: number, length: number) => void

/**
 * Fetches together what a start will read, before that reads it piece by piece, each for a round trip; and, when the first catalog of a
 * database is read, what a session of that reads. An image where it is not found is read as it comes.
 */
export function expectFirstReads(bytes: number, reader: ImageReader): Notice {
  let waiting: FirstReads['ofDatabases'] = []
  const begin = async () => {
    const read = (position: number, length: number) => reader.read(position, length)
    const { ofStart, ofDatabases } = await firstReadsOf(bytes, read, reader.expect)
    waiting = ofDatabases
    reader.expect(ofStart)
  }
  // Who reads the same is told what is wrong with it.
  begin().catch(() => {})
  return (position, length) => {
    const isIn = (database: FirstReads['ofDatabases'][number]) =>
      database.some(([from, to]) => from < position + length && to > position)
    const opened = waiting.filter(isIn)
    if (opened.length === 0) return
    waiting = waiting.filter((one) => !opened.includes(one))
    for (const extents of opened) reader.expect(extents)
  }
}
