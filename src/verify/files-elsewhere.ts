import { createHash } from 'node:crypto'
import type { StoredBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import type { Fault } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import type { BytePath } from '../system/paths/byte-path.js'

/** What a file of a backup in a place should be. */
export interface ExpectedFile {
  name: BytePath
  bytes: number
  sha256: string
}

/** Its size, and with `read` all of it. */
export async function faultsOfFile(
  place: Place,
  backup: StoredBackup,
  { name, bytes, sha256 }: ExpectedFile,
  read: boolean,
  context: Context,
): Promise<Fault[]> {
  const faults = await sizeFaults(place, backup, name, bytes)
  if (faults.length > 0 || !read) return faults
  const hash = createHash('sha256')
  let done = 0
  await place.read(backup, name, { from: 0 }, async (pieces) => {
    for await (const piece of pieces) {
      context.signal.throwIfAborted()
      hash.update(piece)
      done += piece.length
      context.progress.bytes(done, bytes)
    }
  })
  return hash.digest('hex') === sha256
    ? []
    : [{ file: name, problem: 'its SHA-256 is not that of the record' }]
}

/** Its last byte is there, and none after it. */
export async function sizeFaults(
  place: Place,
  backup: StoredBackup,
  name: BytePath,
  bytes: number,
): Promise<Fault[]> {
  let found = 0
  await place.read(backup, name, { from: bytes - 1, length: 2 }, async (pieces) => {
    for await (const piece of pieces) found += piece.length
  })
  if (found === 1) return []
  const problem = `it has ${found === 0 ? 'less' : 'more'} than its ${bytes} bytes`
  return [{ file: name, problem }]
}
