import { PgbkError } from '../../errors.js'
import { blockBytes, paddedBytes, readTarHeader, type TarMember } from './tar-header.js'

/** Gets the content of a member in pieces, with what fills its last block. */
export type TakeContent = (bytes: Buffer) => void

interface TarSplitter {
  take(chunk: Buffer): void
  /** After the last piece. @throws {PgbkError} `damaged` when it was no whole tar. */
  end(): void
}

/**
 * Splits a tar that comes in pieces of any length. @param begin is called for each member, before its content, which what it returns gets.
 * @throws {PgbkError} `damaged`, from `take`, as `readTarHeader`; what `begin` throws.
 */
export function splitTar(begin: (member: TarMember) => TakeContent): TarSplitter {
  /** The part of a header that has come. */
  let part: Buffer = Buffer.alloc(0)
  let left = 0
  let takeContent: TakeContent = () => {}
  let hasEnded = false
  const takeHeader = (piece: Buffer) => {
    part = part.length === 0 ? piece : Buffer.concat([part, piece])
    if (part.length < blockBytes) return
    const member = readTarHeader(part)
    part = Buffer.alloc(0)
    hasEnded = member === undefined
    if (!member) return
    left = paddedBytes(member.size)
    takeContent = begin(member)
  }
  return {
    take: (chunk) => {
      for (let at = 0; at < chunk.length && !hasEnded; ) {
        const isContent = left > 0
        const piece = chunk.subarray(at, at + (isContent ? left : blockBytes - part.length))
        at += piece.length
        if (!isContent) takeHeader(piece)
        else {
          left -= piece.length
          takeContent(piece)
        }
      }
    },
    end: () => {
      if (!hasEnded) throw new PgbkError('damaged', 'the tar of the base backup has no end')
    },
  }
}
