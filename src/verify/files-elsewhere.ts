import { createHash } from 'node:crypto'
import type { StoredBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { type Fault, PgbkError, systemCode, systemReason } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import type { BytePath } from '../system/paths/byte-path.js'

/** What a file of a backup in a place should be. */
export interface ExpectedFile {
  name: BytePath
  bytes: number
  sha256: string
}

export const missing = 'it is missing'

/** Its size, and with `read` all of it. */
export function faultsOfFile(
  place: Place,
  backup: StoredBackup,
  file: ExpectedFile,
  read: boolean,
  context: Context,
): Promise<Fault[]> {
  return orFaulty(place, backup, file.name, () => contentFaults(place, backup, file, read, context))
}

async function contentFaults(
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
  const before = Math.min(1, bytes)
  await place.read(backup, name, { from: bytes - before, length: before + 1 }, async (pieces) => {
    for await (const piece of pieces) found += piece.length
  })
  if (found === before) return []
  const problem = `it has ${found < before ? 'less' : 'more'} than its ${bytes} bytes`
  return [{ file: name, problem }]
}

/**
 * What shows only when a file is read is a fault like others: it cannot be decrypted, its disk does not give it, or it has gone.
 * @throws {PgbkError} `not-found` when the whole backup has; whatever else `look` throws.
 */
export async function orFaulty(
  place: Place,
  backup: StoredBackup,
  file: string,
  look: () => Promise<Fault[]>,
): Promise<Fault[]> {
  try {
    return await look()
  } catch (error) {
    const unreadable = unreadableReason(error)
    if (unreadable !== undefined) return [{ file, problem: unreadable }]
    if (!(error instanceof PgbkError)) throw error
    const { code, message, facts } = error
    if (code === 'damaged') return [{ file, problem: file === 'wal' ? message : (facts.reason ?? message) }]
    if (code !== 'not-found') throw error
    await place.files(backup)
    return [{ file, problem: missing }]
  }
}

/** Of a disk that this machine reads. */
function unreadableReason(error: unknown): string | undefined {
  const cause = error instanceof PgbkError ? error.cause : error
  return ['EIO', 'EACCES'].includes(systemCode(cause) ?? '')
    ? `it cannot be read: ${systemReason(cause)}`
    : undefined
}
