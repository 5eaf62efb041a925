import type { BlockCache } from './block-cache.js'
import { imageBlockSize } from './stripe.js'

/** The blocks of one image that are here: those that were used last are in memory, too. */
export interface RecentBlocks {
  /** How many there are in the image. */
  readonly count: number
  lengthOf(block: number): number
  get(block: number): Buffer | undefined
  put(block: number, content: Buffer): void
}

/**
 * @param bytes of the image.
 * @param most blocks in memory.
 */
export function recentBlocks(bytes: number, cache: BlockCache, most: number): RecentBlocks {
  const memory = new Map<number, Buffer>()
  const lengthOf = (block: number) => Math.min(imageBlockSize, bytes - block * imageBlockSize)
  const remember = (block: number, content: Buffer) => {
    memory.delete(block)
    memory.set(block, content)
    if (memory.size > most) memory.delete(memory.keys().next().value as number)
  }
  return {
    count: Math.ceil(bytes / imageBlockSize),
    lengthOf,
    get(block) {
      const here = memory.get(block) ?? cache.get(block, lengthOf(block))
      if (here) remember(block, here)
      return here
    },
    put(block, content) {
      remember(block, content)
      cache.put(block, content)
    },
  }
}
