import { PgbkError } from '../errors.js'
import type { Sendable } from '../system/files/sendable.js'
import { chunkBytes, chunksOf, sealChunk, sealedBytes, sealedChunkBytes } from './chunks.js'
import type { FileKey } from './file-key.js'
import { regroup } from './regroup.js'

/** What a file has once it is encrypted. */
export function encryptedSize(plainBytes: number, { header }: Pick<FileKey, 'header'>): number {
  return header.length + sealedBytes(plainBytes)
}

/** A file in encrypted form: with the same key the same bytes each time, from wherever they are asked for. */
export function encrypting(plain: Sendable, key: FileKey): Sendable {
  const { header } = key
  const bytes = encryptedSize(plain.bytes, key)
  return {
    bytes,
    async *read(from, length) {
      const end = Math.min(bytes, from + length)
      if (from < Math.min(end, header.length)) yield header.subarray(from, Math.min(end, header.length))
      if (end > Math.max(from, header.length))
        yield* sealed(plain, key, Math.max(0, from - header.length), end - header.length)
    },
  }
}

/** @param from and `end` are places in the payload. */
async function* sealed(plain: Sendable, key: FileKey, from: number, end: number): AsyncGenerator<Buffer> {
  const count = chunksOf(plain.bytes)
  const first = Math.floor(from / sealedChunkBytes)
  const behind = Math.min(count, Math.ceil(end / sealedChunkBytes))
  let index = first
  for await (const chunk of plainChunks(plain, first, behind)) {
    let at = index * sealedChunkBytes
    for (const part of sealChunk(key.payloadKey, index, index === count - 1, chunk)) {
      const wanted = part.subarray(Math.max(0, from - at), Math.max(0, end - at))
      if (wanted.length > 0) yield wanted
      at += part.length
    }
    index += 1
  }
}

/** @throws {PgbkError} `failed` where the file has become shorter. */
async function* plainChunks(plain: Sendable, first: number, behind: number): AsyncGenerator<Buffer> {
  if (plain.bytes === 0) return yield Buffer.alloc(0)
  const from = first * chunkBytes
  const end = Math.min(plain.bytes, behind * chunkBytes)
  let at = from
  for await (const chunk of regroup(plain.read(from, end - from), chunkBytes)) {
    at += chunk.length
    yield chunk
  }
  if (at !== end)
    throw new PgbkError('failed', `a file has changed while it was encrypted: ${at} of ${end} bytes came`)
}
