import type { StoredBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { imageName } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { type FetchOptions, fetchRange, patience, type ReadImageRange } from './fetch-range.js'

interface WholeImage extends FetchOptions {
  /** Of the image. */
  bytes: number
  /** How many of them are not wanted, from its beginning. */
  from: number
}

/** What one request asks for, and how many are made at the same time: all of it is in memory. */
const pieceBytes = 4 << 20
const atOnce = 6

/**
 * All of an image elsewhere, whose ranges come side by side, and are given one after the other: what has been written of it is a beginning
 * of it without holes, whatever happens then.
 * @throws {PgbkError} as `fetchRange`.
 */
export async function* imageInOrder({ bytes, from, ...options }: WholeImage): AsyncGenerator<Buffer> {
  const coming: Promise<Buffer>[] = []
  const wanted = { isOver: false }
  const read: ReadImageRange = (range, take) =>
    options.read(range, (pieces) => take(whileWanted(pieces, wanted)))
  let next = from
  const request = () => {
    const length = Math.min(pieceBytes - (next % pieceBytes), bytes - next)
    const piece = fetchRange(next, length, { ...options, read }, () => !wanted.isOver)
    piece.catch(() => {}) // told when it is its turn
    coming.push(piece)
    next += length
  }
  try {
    while (coming.length > 0 || next < bytes) {
      while (coming.length < atOnce && next < bytes) request()
      const piece = await coming.shift()
      if (piece) yield piece
    }
  } finally {
    wanted.isOver = true
    await Promise.allSettled(coming)
  }
}

/** The same, of a backup in a place. */
export function imageOfBackup(
  place: Place,
  backup: StoredBackup,
  { bytes, from }: Pick<WholeImage, 'bytes' | 'from'>,
  { tickMs }: Pick<Context, 'tickMs'>,
): AsyncGenerator<Buffer> {
  const name = `${imageName} of backup ${backup.id} in ${place.name}`
  return imageInOrder({
    ...{ bytes, from, name, ...patience(tickMs) },
    read: (range, take) => place.read(backup, imageName, range, take),
  })
}

async function* whileWanted(
  pieces: AsyncIterable<Buffer>,
  wanted: { isOver: boolean },
): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    if (wanted.isOver) return
    yield piece
  }
}
