import { futimesSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../errors.js'
import { descriptors } from '../system/files/descriptors.js'
import { openStripe, readBlock, stripeOf, writeBlock } from './stripe.js'
import { trimCache } from './trim-cache.js'

/** Blocks of an image that have come from afar, on this machine's disk. */
export interface BlockCache {
  /** Undefined where it is not there, or no longer what was put. */
  get(block: number, length: number): Buffer | undefined
  /** Where it cannot be kept, it is not. */
  put(block: number, bytes: Buffer): void
}

interface CacheOptions {
  /** Of all images together. */
  directory: string
  /** The image: another content has another key. */
  key: string
  /** How many bytes of the disk all images may take together. */
  limit: number
  now(): Date
}

/** More of its files are not open at once. */
const mostOpen = 16
/** A stripe that is read is noted to be in use no more often, in ms. */
const touchEvery = 60_000

/**
 * Keeps blocks in files, `<directory>/<key>/<stripe>`, with a checksum of each: what a kill or a bad disk leaves is not taken for a block.
 * Several processes may use it at the same time, since they write the same bytes; and anybody may remove any of it at any moment. Where the
 * disk takes nothing any more, nothing is kept.
 */
export function blockCache({ directory, key, limit, now }: CacheOptions): BlockCache {
  const stripes = openStripes(join(directory, key), now)
  let isUsable = limit > 0
  let untilTrim = 0
  const unlessFaulty = <T>(work: () => T): T | undefined => {
    if (!isUsable) return undefined
    try {
      return work()
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      isUsable = false
      return undefined
    }
  }
  return {
    get: (block, length) =>
      unlessFaulty(() => {
        const bytes = readBlock(stripes.fileOf(block), block, length)
        if (bytes) stripes.touch(block)
        return bytes
      }),
    put: (block, bytes) =>
      unlessFaulty(() => {
        if (untilTrim <= 0) {
          untilTrim = trimCache(directory, limit)
          // What was removed is on the disk as long as it is open, and nobody else finds it.
          stripes.closeAll()
        }
        writeBlock(stripes.fileOf(block), block, bytes)
        stripes.touch(block)
        untilTrim -= bytes.length
      }),
  }
}

/** The files of one image. */
function openStripes(directory: string, now: CacheOptions['now']) {
  const touched = new Map<number, number>()
  const opened = new Set<number>()
  const files = descriptors<number>(mostOpen, (stripe) => {
    opened.add(stripe)
    return openStripe(directory, stripe)
  })
  return {
    fileOf: (block: number) => files.get(stripeOf(block)),
    /** Notes that it is in use. */
    touch(block: number) {
      const [stripe, at] = [stripeOf(block), now()]
      if (at.getTime() - (touched.get(stripe) ?? 0) < touchEvery) return
      touched.set(stripe, at.getTime())
      futimesSync(files.get(stripe), at, at)
    },
    closeAll() {
      for (const stripe of opened) files.close(stripe)
      opened.clear()
    },
  }
}

/** The same, but what was there before is not read: all that comes out of it was put by this process. */
export function ofThisProcess(cache: BlockCache): BlockCache {
  const own = new Set<number>()
  return {
    get: (block, length) => (own.has(block) ? cache.get(block, length) : undefined),
    put(block, bytes) {
      own.add(block)
      cache.put(block, bytes)
    },
  }
}
