import { createCipheriv, createDecipheriv } from 'node:crypto'

/**
 * The payload of a file in the age format: chunks of 64 KiB, each sealed by ChaCha20-Poly1305 with a nonce that has its number and
 * whether it is the last one (c2sp.org/age, chapter "Payload"). The last one is shorter, or full; it is empty only where there is no other.
 */

export const chunkBytes = 64 << 10

const algorithm = 'chacha20-poly1305'
const tagBytes = 16

/** What a chunk has once it is sealed. */
export const sealedChunkBytes = chunkBytes + tagBytes

/** How many chunks so many bytes make. */
export function chunksOf(plainBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / chunkBytes))
}

/** What the chunks of so many bytes have, sealed. */
export function sealedBytes(plainBytes: number): number {
  return plainBytes + tagBytes * chunksOf(plainBytes)
}

/** Its bytes, and behind them its tag. */
export function sealChunk(key: Buffer, index: number, isLast: boolean, plain: Buffer): [Buffer, Buffer] {
  const cipher = createCipheriv(algorithm, key, nonceOf(index, isLast), { authTagLength: tagBytes })
  const sealed = cipher.update(plain)
  cipher.final()
  return [sealed, cipher.getAuthTag()]
}

/** Undefined for one that is not, by its tag, this very chunk of this file. */
export function openChunk(key: Buffer, index: number, isLast: boolean, sealed: Buffer): Buffer | undefined {
  if (sealed.length < tagBytes) return undefined
  const decipher = createDecipheriv(algorithm, key, nonceOf(index, isLast), { authTagLength: tagBytes })
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  const plain = decipher.update(sealed.subarray(0, -tagBytes))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  // Else a file could be made longer by a chunk that nobody sees.
  return plain.length === 0 && index > 0 ? undefined : plain
}

/** 11 bytes of its number, of which 8 are enough for any file, and one that says whether it is the last. */
function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(index), 3)
  nonce[11] = isLast ? 1 : 0
  return nonce
}
