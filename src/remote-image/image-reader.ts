import { PgbkError } from '../errors.js'
import { type BlockCache, imageBlockSize } from './block-cache.js'
import { type FetchOptions, fetchRange } from './fetch-range.js'
import { mostAhead, readAhead } from './read-ahead.js'

/** What was fetched so far, for whoever pays for it. */
export interface Fetched {
  bytes: number
  requests: number
}

/** An image elsewhere, whose bytes are fetched when they are asked for, or a little before. */
export interface ImageReader {
  readonly fetched: Fetched
  /** Fewer bytes only where it ends. @throws {PgbkError} as `fetchRange`. */
  read(position: number, length: number): Promise<Buffer>
  /** Settled when nothing is being fetched. */
  idle(): Promise<void>
}

interface ReaderOptions
  extends Pick<FetchOptions, 'read' | 'name'>,
    Partial<Pick<FetchOptions, 'stallMs' | 'pausesMs'>> {
  /** Of the image. */
  bytes: number
  cache: BlockCache
  /** Requests at the same time. */
  atOnce: number
}

/** The most that one request asks for, in blocks. */
const mostAtATime = 32
/** What stays in memory, in blocks: what is fetched ahead, and some more. */
const mostInMemory = 2 * mostAhead

/** Two of them may share a cache. Errors are never kept: the next read tries again. */
export function imageReader(options: ReaderOptions): ImageReader {
  const { bytes, cache, atOnce } = options
  const fetching = { stallMs: 30_000, pausesMs: [200, 1000, 3000], ...options }
  const fetched: Fetched = { bytes: 0, requests: 0 }
  const memory = new Map<number, Buffer>()
  const coming = new Map<number, Promise<Buffer>>()
  const inTurn = turns(atOnce)
  const follow = readAhead()
  const blocks = Math.ceil(bytes / imageBlockSize)
  let isAnswering = true

  const lengthOf = (block: number) => Math.min(imageBlockSize, bytes - block * imageBlockSize)
  const keep = (block: number, content: Buffer) => {
    memory.delete(block)
    memory.set(block, content)
    if (memory.size > mostInMemory) memory.delete(memory.keys().next().value as number)
  }
  const known = (block: number) => {
    const here = memory.get(block) ?? cache.get(block, lengthOf(block))
    if (here) keep(block, here)
    return here
  }
  const request = async (first: number, count: number, isUrgent: boolean): Promise<Buffer> => {
    const from = first * imageBlockSize
    const length = Math.min(count * imageBlockSize, bytes - from)
    try {
      const whole = await inTurn(isUrgent, () => fetchRange(from, length, fetching, () => isAnswering))
      isAnswering = true
      fetched.bytes += length
      fetched.requests++
      return whole
    } catch (error) {
      // While it is away, nobody waits for it as long as the first one did.
      isAnswering = false
      throw error
    }
  }
  /** Begins to fetch blocks that are neither here nor on their way: those that lie side by side together. */
  const start = (first: number, end: number, isUrgent: boolean) => {
    for (let at = first; at < end; ) {
      let count = 0
      while (at + count < end && count < mostAtATime && !coming.has(at + count) && !known(at + count)) count++
      if (count > 0) fetchTogether(at, count, isUrgent)
      at += Math.max(1, count)
    }
  }
  const fetchTogether = (first: number, count: number, isUrgent: boolean) => {
    const whole = request(first, count, isUrgent)
    for (let index = 0; index < count; index++) {
      const block = first + index
      const one = whole.then((all) => {
        const content = Buffer.from(
          all.subarray(index * imageBlockSize, index * imageBlockSize + lengthOf(block)),
        )
        keep(block, content)
        cache.put(block, content)
        return content
      })
      coming.set(block, one)
      one.catch(() => {}).finally(() => coming.delete(block)) // whoever waits for it is told
    }
  }
  return {
    fetched,
    async read(position, wanted) {
      const end = Math.min(bytes, position + wanted)
      if (end <= position) return Buffer.alloc(0)
      const first = Math.floor(position / imageBlockSize)
      const last = Math.floor((end - 1) / imageBlockSize)
      const [aheadFrom, aheadTo] = follow(first, last)
      start(first, last + 1, true)
      const parts = range(first, last).map((block) => coming.get(block) ?? memory.get(block) ?? lost(block))
      start(aheadFrom, Math.min(blocks, aheadTo), false)
      const all = Buffer.concat(await Promise.all(parts))
      return all.subarray(position - first * imageBlockSize, end - first * imageBlockSize)
    },
    idle: async () => {
      while (coming.size > 0) await Promise.allSettled(coming.values())
    },
  }
}

function lost(block: number): never {
  throw new PgbkError('failed', `block ${block} of the image is neither here nor on its way`)
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

/** So many at a time; those that somebody waits for come first. */
function turns(atOnce: number): <T>(isUrgent: boolean, work: () => Promise<T>) => Promise<T> {
  const waiting: { urgent: (() => void)[]; others: (() => void)[] } = { urgent: [], others: [] }
  let going = 0
  return async (isUrgent, work) => {
    if (going >= atOnce)
      await new Promise<void>((go) => (isUrgent ? waiting.urgent : waiting.others).push(go))
    else going++
    try {
      return await work()
    } finally {
      const next = waiting.urgent.shift() ?? waiting.others.shift()
      if (next) next()
      else going--
    }
  }
}
