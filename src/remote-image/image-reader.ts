import { PgbkError } from '../errors.js'
import type { Extent } from '../squashfs/stored-image.js'
import type { BlockCache } from './block-cache.js'
import { type FetchOptions, fetchRange } from './fetch-range.js'
import { mostAhead, readAhead } from './read-ahead.js'
import { type RecentBlocks, recentBlocks } from './recent-blocks.js'
import { imageBlockSize } from './stripe.js'
import { turns } from './turns.js'

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
  /** Begins to fetch what will be read soon, as far as it is not here. Whether that succeeds shows when it is read. */
  expect(extents: readonly Extent[]): void
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
  /** Blocks that cost no more together than one of them: those of one encrypted chunk. */
  together?: number
}

/** The most that one request asks for, in blocks. */
const mostAtATime = 32
/** What stays in memory, in blocks: what is fetched ahead, and some more. */
const mostInMemory = 2 * mostAhead

/** Two of them may share a cache. Errors are never kept: the next read tries again. */
export function imageReader(options: ReaderOptions): ImageReader {
  const { bytes, cache } = options
  const here = recentBlocks(bytes, cache, mostInMemory)
  const { request, fetched } = requester(options)
  const { start, coming } = fetcher(here, request, options.together ?? 1)
  const follow = readAhead()
  const expected = new Set<number>()
  return {
    fetched,
    async read(position, wanted) {
      const end = Math.min(bytes, position + wanted)
      if (end <= position) return Buffer.alloc(0)
      const [first, last] = [blockAt(position), blockAt(end - 1)]
      const wantedBlocks = range(first, last)
      // What comes behind these is known, too.
      const isExpected = wantedBlocks.every((block) => expected.has(block))
      const [aheadFrom, aheadTo] = isExpected ? [0, 0] : follow(first, last)
      start(first, last + 1, true)
      const parts = wantedBlocks.map((block) => coming.get(block) ?? here.get(block) ?? lost(block))
      start(aheadFrom, aheadTo, false)
      const all = Buffer.concat(await Promise.all(parts))
      return all.subarray(position - first * imageBlockSize, end - first * imageBlockSize)
    },
    expect(extents) {
      for (const [first, end] of blocksOf(extents)) {
        for (const block of range(first, end - 1)) expected.add(block)
        start(first, end, false)
      }
    },
    idle: async () => {
      while (coming.size > 0) await Promise.allSettled(coming.values())
    },
  }
}

/** Asks for blocks that lie side by side. */
type Request = (first: number, count: number, isUrgent: boolean) => Promise<Buffer>

function requester(options: ReaderOptions): { request: Request; fetched: Fetched } {
  const { bytes, atOnce } = options
  const fetching = { stallMs: 30_000, pausesMs: [200, 1000, 3000], ...options }
  const fetched: Fetched = { bytes: 0, requests: 0 }
  const inTurn = turns(atOnce)
  let isAnswering = true
  const request: Request = async (first, count, isUrgent) => {
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
  return { request, fetched }
}

interface Fetcher {
  /** Blocks that are on their way. */
  coming: ReadonlyMap<number, Promise<Buffer>>
  /** Begins to fetch blocks that are neither here nor on their way: those that lie side by side together. */
  start(first: number, end: number, isUrgent: boolean): void
}

function fetcher(here: RecentBlocks, request: Request, together: number): Fetcher {
  const coming = new Map<number, Promise<Buffer>>()
  const fetch = (first: number, count: number, isUrgent: boolean) => {
    const whole = request(first, count, isUrgent)
    for (let index = 0; index < count; index++) {
      const block = first + index
      const one = whole.then((all) => {
        const content = Buffer.from(all.subarray(index * imageBlockSize).subarray(0, here.lengthOf(block)))
        here.put(block, content)
        return content
      })
      coming.set(block, one)
      one.catch(() => {}).finally(() => coming.delete(block)) // whoever waits for it is told
    }
  }
  return {
    coming,
    start(first, wantedEnd, isUrgent) {
      const end = Math.min(here.count, Math.ceil(wantedEnd / together) * together)
      for (let at = first - (first % together); at < end; ) {
        let count = 0
        const isMissing = (block: number) => !coming.has(block) && !here.get(block)
        while (at + count < end && count < mostAtATime && isMissing(at + count)) count++
        if (count > 0) fetch(at, count, isUrgent)
        at += Math.max(1, count)
      }
    },
  }
}

function blockAt(position: number): number {
  return Math.floor(position / imageBlockSize)
}

/** Blocks that are left out between two extents, at most: less than another request costs. */
const mostBetween = 1

/** The blocks of extents, in order: from the first up to, and without, the second. */
function blocksOf(extents: readonly Extent[]): Extent[] {
  const ranges: Extent[] = []
  const sorted = extents.filter(([from, to]) => from < to).sort(([a], [b]) => a - b)
  for (const [from, to] of sorted) {
    const [first, end] = [blockAt(from), blockAt(to - 1) + 1]
    const last = ranges.at(-1)
    if (last && first <= last[1] + mostBetween) last[1] = Math.max(last[1], end)
    else ranges.push([first, end])
  }
  return ranges
}

function lost(block: number): never {
  throw new PgbkError('failed', `block ${block} of the image is neither here nor on its way`)
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
