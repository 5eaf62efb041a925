import { checkFile, piecesOf } from '../../system/files/read-small.js'
import type { Sendable } from '../../system/files/sendable.js'

/** A file that does not change. @param signal when it is aborted, no more of it is read. */
export function fileSendable(path: string, signal: AbortSignal): Sendable {
  return {
    bytes: checkFile(path).size,
    async *read(from, length) {
      for await (const piece of piecesOf(path, { from, length })) {
        signal.throwIfAborted()
        yield piece
      }
    },
  }
}

export function bytesSendable(bytes: Buffer): Sendable {
  return {
    bytes: bytes.length,
    async *read(from, length) {
      yield bytes.subarray(from, from + length)
    },
  }
}
