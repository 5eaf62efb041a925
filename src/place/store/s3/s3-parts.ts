import { createHash } from 'node:crypto'
import { PgbkError } from '../../../errors.js'
import type { Sendable } from '../object-store.js'
import type { S3Settings } from './s3-settings.js'

const mebibyte = 1 << 20
/** No store takes smaller ones, but for the last. */
const smallestPart = 5 * mebibyte
const usualPart = 8 * mebibyte

/** Scaleway takes fewer than all others. */
function mostParts({ endpoint }: S3Settings): number {
  return endpoint !== undefined && /\.scw\.cloud(:\d+)?\/?$/.test(endpoint) ? 1000 : 10_000
}

/** How large the parts of an object are, all but its last one. */
export function partSizeOf(bytes: number, settings: S3Settings): number {
  const least = Math.max(smallestPart, settings.part_size ?? usualPart)
  const needed = Math.ceil(bytes / mostParts(settings) / mebibyte) * mebibyte
  return Math.max(least, needed)
}

/** One of the parts, counted from 1. */
export interface Part {
  number: number
  from: number
  length: number
}

export function partsOf(bytes: number, size: number): Part[] {
  const count = Math.max(1, Math.ceil(bytes / size))
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    from: index * size,
    length: Math.min(size, bytes - index * size),
  }))
}

/** Parts that are held in memory at once. */
const mostHeld = 48 * mebibyte

/** How many parts are sent at once, so that they fit into memory. */
export function atOnceOf(size: number): number {
  return Math.max(1, Math.min(4, Math.floor(mostHeld / size)))
}

/** A part of at most so many bytes is held in memory; of a larger one only pieces are, and it is read twice. */
export const mostInMemory = mostHeld

/** The bytes of a part. @param room for it. @throws {PgbkError} `failed` when there are fewer. */
export async function bytesOf(
  what: Sendable,
  { from, length }: Part,
  room: Buffer = Buffer.allocUnsafe(length),
): Promise<Buffer> {
  const bytes = room.subarray(0, length)
  let at = 0
  for await (const piece of what.read(from, length)) at += piece.copy(bytes, at)
  if (at !== length) throw tooShort(what, from + at)
  return bytes
}

/** The MD5 of a part, which S3 calls it by. @throws {PgbkError} `failed` when there are fewer bytes. */
export async function md5Of(what: Sendable, { from, length }: Part): Promise<Buffer> {
  const hash = createHash('md5')
  let at = 0
  for await (const piece of what.read(from, length)) {
    hash.update(piece)
    at += piece.length
  }
  if (at !== length) throw tooShort(what, from + at)
  return hash.digest()
}

function tooShort({ bytes }: Sendable, there: number): PgbkError {
  return new PgbkError('failed', `what is sent has ${there} bytes in the place of ${bytes}`)
}

/** What S3 calls an object of these parts. */
export function tagOfParts(sums: readonly Buffer[]): string {
  return `${createHash('md5').update(Buffer.concat(sums)).digest('hex')}-${sums.length}`
}
