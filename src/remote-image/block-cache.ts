import { constants, futimesSync, lstatSync, mkdirSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { systemCode } from '../errors.js'
import { descriptors } from '../system/files/descriptors.js'
import { readFully } from '../system/files/read-fully.js'
import { namesIn } from '../system/paths/names-in.js'

/** What is kept of an image by itself, in bytes. */
export const imageBlockSize = 32 << 10

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

const blocksInStripe = 32
const tableAt = blocksInStripe * imageBlockSize
const entrySize = 8
/** What tells an entry from zeros, and from other bytes. */
const mark = 0x70676263

/** More of its files are not open at once. */
const mostOpen = 16
/** A stripe that is read is noted to be in use no more often, in ms. */
const touchEvery = 60_000

/**
 * Keeps blocks in files of 1 MiB with holes, `<directory>/<key>/<stripe>`, and a checksum of each behind them, which is written last: what
 * a kill or a bad disk leaves is not taken for a block. Several processes may use it at the same time, since they write the same bytes; and
 * anybody may remove any of it at any moment. Where the disk takes nothing any more, nothing is kept.
 */
export function blockCache({ directory, key, limit, now }: CacheOptions): BlockCache {
  const own = join(directory, key)
  const touched = new Map<number, number>()
  let isUsable = limit > 0
  let untilTrim = 0
  const opened = new Set<number>()
  const files = descriptors<number>(mostOpen, (stripe) => {
    opened.add(stripe)
    return openStripe(own, stripe)
  })
  const makeRoom = () => {
    untilTrim = trim(directory, limit)
    // What was removed is on the disk as long as it is open, and nobody else finds it.
    for (const stripe of opened) files.close(stripe)
    opened.clear()
  }
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
  const touch = (stripe: number, file: number) => {
    const at = now()
    if (at.getTime() - (touched.get(stripe) ?? 0) < touchEvery) return
    touched.set(stripe, at.getTime())
    futimesSync(file, at, at)
  }
  return {
    get: (block, length) =>
      unlessFaulty(() => {
        const stripe = Math.floor(block / blocksInStripe)
        const file = files.get(stripe)
        const at = block % blocksInStripe
        const entry = Buffer.alloc(entrySize)
        if (readFully(file, tableAt + at * entrySize, entry, 0, entrySize) < entrySize) return undefined
        const sum = entry.readUInt32LE(0)
        if (entry.readUInt32LE(4) !== (sum ^ mark) >>> 0) return undefined
        const bytes = Buffer.allocUnsafe(length)
        if (readFully(file, at * imageBlockSize, bytes, 0, length) < length || crc32(bytes) !== sum)
          return undefined
        touch(stripe, file)
        return bytes
      }),
    put: (block, bytes) =>
      unlessFaulty(() => {
        if (untilTrim <= 0) makeRoom()
        const stripe = Math.floor(block / blocksInStripe)
        const file = files.get(stripe)
        const at = block % blocksInStripe
        const sum = crc32(bytes)
        const entry = Buffer.alloc(entrySize)
        entry.writeUInt32LE(sum, 0)
        entry.writeUInt32LE((sum ^ mark) >>> 0, 4)
        writeFully(file, bytes, at * imageBlockSize)
        writeFully(file, entry, tableAt + at * entrySize)
        touch(stripe, file)
        untilTrim -= bytes.length
      }),
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

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants

function openStripe(own: string, stripe: number): number {
  const path = join(own, String(stripe))
  const open = () => openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    return open()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    mkdirSync(own, { recursive: true, mode: 0o700 })
    return open()
  }
}

function writeFully(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, position + at)
}

/**
 * Removes what was used longest ago, until there is room again.
 * @returns how many bytes may be written before the next look; other processes write meanwhile.
 */
function trim(directory: string, limit: number): number {
  const step = Math.max(imageBlockSize, Math.floor(limit / 16))
  const stripes = namesIn(directory).flatMap((key) =>
    namesIn(join(directory, key)).flatMap((name) => {
      const path = join(directory, key, name)
      const found = lstatSync(path, { throwIfNoEntry: false })
      return found ? [{ path, bytes: found.blocks * 512, usedAt: found.mtimeMs }] : []
    }),
  )
  let left = stripes.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { path, bytes } of stripes.sort((a, b) => a.usedAt - b.usedAt)) {
    if (left + step <= limit) break
    rmSync(path, { force: true })
    left -= bytes
  }
  for (const key of namesIn(directory)) removeIfEmpty(join(directory, key))
  return step
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // It has something in it.
  }
}
