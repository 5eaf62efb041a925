import { join } from 'node:path'
import { type LocalBackup, plainSnapshotOf } from '../catalog/backup.js'
import { systemCode } from '../errors.js'
import { readPiece } from '../system/files/read-small.js'
import { sampleTree } from '../system/files/sample-tree.js'
import { shownPath } from '../system/paths/byte-path.js'

const page = 8192
/** Enough to tell 3 % from 6 %. */
const pieces = 512

/** About which share of a plain snapshot is not as it was in an earlier one, page by page: some of them are compared. 0 to 1. */
export async function changedShare(
  newer: LocalBackup,
  older: LocalBackup,
  signal: AbortSignal,
): Promise<number> {
  const [now, before] = [plainSnapshotOf(newer).snapshot, plainSnapshotOf(older).snapshot]
  let [count, changed] = [0, 0]
  await sampleTree(now, { pieces, size: page, signal }, ({ name, from, bytes }) => {
    count++
    if (!pieceOrNothing(join(before, shownPath(name)), from, bytes.length).equals(bytes)) changed++
  })
  return count === 0 ? 0 : changed / count
}

function pieceOrNothing(path: string, from: number, length: number): Buffer {
  try {
    return readPiece(path, from, length)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return Buffer.alloc(0)
    throw error
  }
}
