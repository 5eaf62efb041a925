import type { Sendable } from '../system/files/sendable.js'

/** A mebibyte that no store or proxy compresses to nothing, the same for a key. */
export function contentOf(key: string): Buffer {
  const content = Buffer.alloc(1 << 20)
  let state = 0
  for (const character of key) state = (Math.imul(state, 31) + character.charCodeAt(0)) | 0
  for (let at = 0; at < content.length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    content.writeInt32LE(state ^ (state >>> 15), at)
  }
  return content
}

/** So many bytes of a content, again and again. @param onRead is told from where on bytes are read, and may throw. */
export function repeated(
  content: Buffer,
  bytes: number,
  onRead: (position: number) => void = () => {},
): Sendable {
  return {
    bytes,
    async *read(from, length) {
      for (let at = from; at < Math.min(bytes, from + length); ) {
        onRead(at)
        const start = at % content.length
        const piece = content.subarray(start, start + Math.min(bytes, from + length) - at)
        at += piece.length
        yield piece
      }
    },
  }
}

/** Whether a piece is what `repeated` gives from a position on. */
export function isRepetition(piece: Buffer, position: number, content: Buffer): boolean {
  for (let at = 0; at < piece.length; ) {
    const start = (position + at) % content.length
    const length = Math.min(content.length - start, piece.length - at)
    if (!piece.subarray(at, at + length).equals(content.subarray(start, start + length))) return false
    at += length
  }
  return true
}
