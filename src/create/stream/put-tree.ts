import { lstatSync } from 'node:fs'
import { PgbkError } from '../../errors.js'
import { piecesOf } from '../../system/files/read-small.js'
import { type TreeEntry, treeEntries } from '../../system/files/walk-tree.js'
import { bytePath, shownPath, systemPath } from '../../system/paths/byte-path.js'
import type { Put } from '../../system/program/feed-program.js'
import { blockBytes, paddedBytes, type TarMember, writeTarHeader } from './tar-header.js'

/**
 * Puts all below a directory of pgbk's own into a tar, and ends it.
 * @throws {PgbkError} `damaged` for what is neither a file nor a directory; a system error; the signal's reason when aborted.
 */
export async function putTree(directory: string, put: Put, signal: AbortSignal): Promise<void> {
  for (const entry of treeEntries(bytePath(directory))) {
    signal.throwIfAborted()
    const member = memberOf(entry)
    await put(writeTarHeader(member))
    if (member.kind === 'file') await putContent(entry, member.size, put)
  }
  await put(Buffer.alloc(2 * blockBytes))
}

function memberOf({ name, path, kind }: TreeEntry): TarMember {
  const stats = lstatSync(systemPath(path))
  const changedAt = Math.floor(stats.mtimeMs / 1000)
  if (kind.isDirectory()) return { name, kind: 'directory', size: 0, changedAt }
  if (kind.isFile()) return { name, kind: 'file', size: stats.size, changedAt }
  throw new PgbkError('damaged', `${shownPath(name)} is neither a file nor a directory`)
}

async function putContent({ path }: TreeEntry, size: number, put: Put): Promise<void> {
  let left = size
  for await (const piece of piecesOf(systemPath(path), { length: size })) {
    left -= piece.length
    await put(piece)
  }
  if (left > 0) throw new PgbkError('failed', `${shownPath(path)} has become shorter while it was read`)
  const padding = paddedBytes(size) - size
  if (padding > 0) await put(Buffer.alloc(padding))
}
