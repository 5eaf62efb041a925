import { constants, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { systemCode } from '../errors.js'
import { readFully } from '../system/files/read-fully.js'

/** What is kept of an image by itself, in bytes. */
export const imageBlockSize = 32 << 10

/** A file of the cache has so many blocks, with holes where they are not there, and then an entry for each. */
const blocksInStripe = 32
const entriesAt = blocksInStripe * imageBlockSize
const entrySize = 8
/** What tells an entry from zeros, and from other bytes. */
const mark = 0x70676263

export function stripeOf(block: number): number {
  return Math.floor(block / blocksInStripe)
}

/** Undefined where it is not there, or no longer what was written. @throws a system error. */
export function readBlock(stripe: number, block: number, length: number): Buffer | undefined {
  const at = block % blocksInStripe
  const entry = Buffer.alloc(entrySize)
  if (readFully(stripe, entriesAt + at * entrySize, entry, 0, entrySize) < entrySize) return undefined
  const sum = entry.readUInt32LE(0)
  if (entry.readUInt32LE(4) !== (sum ^ mark) >>> 0) return undefined
  const bytes = Buffer.allocUnsafe(length)
  const isThere = readFully(stripe, at * imageBlockSize, bytes, 0, length) === length
  return isThere && crc32(bytes) === sum ? bytes : undefined
}

/** The entry comes last: what a kill leaves is not taken for a block. @throws a system error. */
export function writeBlock(stripe: number, block: number, bytes: Buffer): void {
  const at = block % blocksInStripe
  const sum = crc32(bytes)
  const entry = Buffer.alloc(entrySize)
  entry.writeUInt32LE(sum, 0)
  entry.writeUInt32LE((sum ^ mark) >>> 0, 4)
  writeFully(stripe, bytes, at * imageBlockSize)
  writeFully(stripe, entry, entriesAt + at * entrySize)
}

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants

/** @param directory of the image, which is made where it is not there. @throws a system error. */
export function openStripe(directory: string, stripe: number): number {
  const path = join(directory, String(stripe))
  const open = () => openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    return open()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return open()
  }
}

function writeFully(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, position + at)
}
