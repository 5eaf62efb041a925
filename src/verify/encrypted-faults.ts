import { createHash } from 'node:crypto'
import type { LocalBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { type Fault, systemCode } from '../errors.js'
import { piecesOf } from '../system/files/read-small.js'
import { bytePath } from '../system/paths/byte-path.js'
import { bytesInside } from '../system/paths/inside.js'

/** What is wrong with the files of an encrypted backup, as far as that shows without a key: their bytes are those that were encrypted. */
export async function encryptedFaults(
  { directory, summary }: LocalBackup,
  { signal }: Context,
): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const [file, { bytes, sha256 }] of Object.entries(summary.encrypted?.files ?? {})) {
    const found = await contentOf(bytesInside(directory, bytePath(file)), signal)
    if (found === undefined) faults.push({ file, problem: 'it is missing' })
    else if (found.bytes !== bytes)
      faults.push({ file, problem: `it has ${found.bytes} bytes instead of ${bytes}` })
    else if (found.sha256 !== sha256) faults.push({ file, problem: 'its SHA-256 is not that of the record' })
  }
  return faults
}

async function contentOf(path: string | Buffer, signal: AbortSignal) {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const piece of piecesOf(path)) {
      signal.throwIfAborted()
      hash.update(piece)
      bytes += piece.length
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
  return { bytes, sha256: hash.digest('hex') }
}
