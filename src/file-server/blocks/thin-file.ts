import type { BytePath } from '../../system/paths/byte-path.js'
import type { Origin } from '../origin/origin.js'
import { Refusal } from '../protocol/refusal.js'
import { BlockSet } from './block-set.js'
import type { Store } from './store.js'

/** What is read from the origin or from the store as a whole: a page of the kernel's, half of one of PostgreSQL's. In bytes. */
export const blockSize = 4096

/** How much `allocate` does at once, in bytes: as much as PostgreSQL wants at once (RelationAddBlocks). */
const portion = 128 * blockSize
const zeros = Buffer.alloc(portion)

/**
 * The contents of a file that lies in the origin until a part of it is written. Each byte below `#shared` is the origin's, unless its
 * block is in `#changed`; all others are the store's. The store has nothing at or above the size of the file, so that a file which
 * grows again grows by zeros.
 */
export class ThinFile {
  #size: number
  #shared: number
  /** Undefined while nothing was written: then the store has no file for it. */
  #changed: BlockSet | undefined

  /**
   * @param id its number in the store.
   * @param path undefined when it is a new file.
   */
  constructor(
    private readonly places: { origin: Origin; store: Store },
    readonly id: number,
    private readonly path: BytePath | undefined,
    size: number,
  ) {
    this.#size = size
    this.#shared = path === undefined ? 0 : size
  }

  get size(): number {
    return this.#size
  }

  /** Reads up to the end of the file. @returns how many bytes those are. */
  read(position: number, into: Buffer, at: number, length: number): number {
    const end = Math.min(position + length, this.#size)
    for (let from = position; from < end; ) {
      const run = this.#runAt(from, end)
      const target = at + from - position
      if (run.changed) this.#readStore(from, into, target, run.end - from)
      else this.#readOrigin(from, into, target, run.end - from)
      from = run.end
    }
    return Math.max(end - position, 0)
  }

  /** Writes all, or, where that fails, nothing that makes the file longer. */
  write(position: number, from: Buffer, at: number, length: number): void {
    if (length === 0) return
    const end = position + length
    const changed = this.#begin()
    this.#keepAround(position, end)
    try {
      this.places.store.write(this.id, position, from, at, length)
    } catch (error) {
      if (end > this.#size) this.places.store.cut(this.id, this.#size)
      throw error
    }
    for (let block = blockOf(position); block * blockSize < Math.min(end, this.#shared); block++)
      changed.add(block)
    this.#size = Math.max(this.#size, end)
  }

  resize(size: number): void {
    if (size < this.#size && this.#changed) this.places.store.cut(this.id, size)
    this.#shared = Math.min(this.#shared, size)
    this.#size = size
  }

  /** Takes room for a range now, so that no later write to it fails for want of it; the file reaches at least to its end. */
  allocate(position: number, length: number): void {
    const size = this.#size
    try {
      for (let from = position; from < position + length; from += portion) {
        const part = Math.min(portion, position + length - from)
        this.write(from, from < this.#size ? this.#bytesAt(from, part) : zeros, 0, part)
      }
    } catch (error) {
      this.resize(size)
      throw error
    }
  }

  /** What is there, and zeros where the file has ended. */
  #bytesAt(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    this.read(position, bytes, 0, length)
    return bytes
  }

  /** Nobody needs it any more. */
  remove(): void {
    if (this.#changed) this.places.store.remove(this.id)
  }

  /** The longest part from there on, up to `end`, that lies in one of the two. */
  #runAt(position: number, end: number): { changed: boolean; end: number } {
    if (position >= this.#shared) return { changed: true, end }
    const limit = Math.min(end, this.#shared)
    let block = blockOf(position)
    const changed = this.#isChanged(block)
    do block++
    while (block * blockSize < limit && this.#isChanged(block) === changed)
    return { changed, end: Math.min(limit, block * blockSize) }
  }

  #isChanged(block: number): boolean {
    return this.#changed?.has(block) === true
  }

  #readStore(position: number, into: Buffer, at: number, length: number): void {
    if (this.#changed) this.places.store.read(this.id, position, into, at, length)
    else into.fill(0, at, at + length)
  }

  /** @throws EIO where the origin has become shorter: somebody has changed it. */
  #readOrigin(position: number, into: Buffer, at: number, length: number): void {
    if (this.places.origin.read(this.path as BytePath, position, into, at, length) < length)
      throw new Refusal('EIO')
  }

  #begin(): BlockSet {
    if (!this.#changed) {
      this.places.store.create(this.id)
      this.#changed = new BlockSet(Math.ceil(this.#shared / blockSize))
    }
    return this.#changed
  }

  /** Before a range is written: takes what else is in its first and its last block from the origin. */
  #keepAround(position: number, end: number): void {
    const first = blockOf(position)
    const last = blockOf(end - 1)
    if (position > first * blockSize) this.#takeOver(first)
    if (end < Math.min((last + 1) * blockSize, this.#shared)) this.#takeOver(last)
  }

  #takeOver(block: number): void {
    const start = block * blockSize
    const length = Math.min(blockSize, this.#shared - start)
    if (length <= 0 || this.#isChanged(block)) return
    const bytes = Buffer.allocUnsafe(length)
    this.#readOrigin(start, bytes, 0, length)
    this.places.store.write(this.id, start, bytes, 0, length)
    this.#changed?.add(block)
  }
}

function blockOf(position: number): number {
  return Math.floor(position / blockSize)
}
