import type { WalMove } from '../../wal-coverage/move-wal.js'

/** WAL that another backup gets before the one goes in whose archive it was. */
export function moveJson({ from, to, segments }: WalMove): object {
  return { from: from.id, to: to.id, segments: segments.length, size_bytes: movedBytes([{ segments }]) }
}

/** What of the archives that go is not freed. */
export function movedBytes(moves: Pick<WalMove, 'segments'>[]): number {
  return moves.flatMap(({ segments }) => segments).reduce((sum, { bytes }) => sum + bytes, 0)
}
