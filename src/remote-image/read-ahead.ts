/** What is fetched before it is asked for, at most, in blocks. */
export const mostAhead = 256

/** How many readers are followed at once. */
const mostStreams = 16
/** Blocks over which one block of a file may lie (128 KiB of it, compressed, in any place): to read these is not to read on. */
const mostOfOne = 5
/** Blocks that a reader may leave out and still read on: metadata and data of a file lie side by side. */
const mostSkipped = 2

interface Stream {
  next: number
  /** Blocks that were read one after the other. */
  length: number
  /** What was asked to be fetched goes up to here. */
  fetchedTo: number
}

/**
 * Notices who reads on and on. What is fetched ahead is never more than what was read so far: who stops has cost at most twice as much.
 * @returns called with blocks that are read, which further ones to fetch: from the first up to, and without, the second.
 */
export function readAhead(): (first: number, last: number) => [number, number] {
  const streams: Stream[] = []
  return (first, last) => {
    const index = streams.findIndex(
      ({ next, length }) => first <= next + mostSkipped && first >= next - Math.min(length, mostSkipped + 1),
    )
    const [found] = index === -1 ? [] : streams.splice(index, 1)
    const stream = found ?? { next: first, length: 0, fetchedTo: last + 1 }
    const grown = Math.max(0, last + 1 - stream.next)
    stream.length += grown
    stream.next = Math.max(stream.next, last + 1)
    streams.push(stream)
    if (streams.length > mostStreams) streams.shift()
    const ahead = Math.min(mostAhead, stream.length)
    const from = Math.max(stream.fetchedTo, stream.next)
    // In large pieces: a request costs a round trip, however small it is.
    const readsOn = found !== undefined && grown > 0 && stream.length > mostOfOne
    if (!readsOn || from - stream.next > ahead / 2) return [from, from]
    stream.fetchedTo = stream.next + ahead
    return [from, Math.max(from, stream.fetchedTo)]
  }
}
