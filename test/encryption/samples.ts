import { createHash } from 'node:crypto'
import type { Identity } from '../../src/context.js'
import { openFileKey } from '../../src/encryption/file-key.js'
import type { AgeHeader } from '../../src/encryption/header.js'
import type { ReadRange } from '../../src/encryption/open-encrypted.js'
import type { Sendable } from '../../src/system/files/sendable.js'

/** Around the borders of chunks. */
export const sizes = [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000]

export const alice: Identity = {
  secret: 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX',
  recipient: 'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj',
}

export const bob: Identity = {
  secret: 'AGE-SECRET-KEY-1QAD35YPFNN0JUZ8FJT46KPTDHAFHUY36USRK2ZEE6QCJHDKK3DESSSVEU3',
  recipient: 'age1ahaz493q585s0q30vsadg2ywrhwewmw4yhm6zp2z9leu6mz2csmsdkm2px',
}

/** As age -p makes it, but faster to open: age's own work factor is 18. */
export async function protectedBy(passphrase: string, text: string, workFactor = 10): Promise<Uint8Array> {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  encrypter.setScryptWorkFactor(workFactor)
  encrypter.setPassphrase(passphrase)
  return encrypter.encrypt(text)
}

/** The same bytes for the same size, and no two chunks alike. */
export function sample(bytes: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) =>
    createHash('sha256').update(String(index)).digest(),
  )
  return Buffer.concat(blocks).subarray(0, bytes)
}

/** As they come from somewhere: in sizes that have nothing to do with chunks. */
export async function* inPieces(bytes: Buffer, size = 50_001): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export function aPlainFile(bytes: Buffer, piece?: number): Sendable {
  return { bytes: bytes.length, read: (from, length) => inPieces(bytes.subarray(from, from + length), piece) }
}

/** A place that has one file, and counts the bytes that are read of it. */
export function aPlaceWith(bytes: Buffer): { read: ReadRange; bytesRead(): number } {
  let count = 0
  return {
    bytesRead: () => count,
    read: ({ from, length }, take) => {
      const wanted = bytes.subarray(from, length === undefined ? undefined : from + length)
      count += wanted.length
      return take(inPieces(wanted))
    },
  }
}

export async function allOf(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of bytes) pieces.push(piece)
  return Buffer.concat(pieces)
}

export function withIdentities(identities: Identity[], recipients?: string[]) {
  return async (header: AgeHeader) =>
    (await openFileKey(header, identities, 'the file', recipients)).payloadKey
}
