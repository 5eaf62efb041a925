import { createHash } from 'node:crypto'
import { openRegularFile } from '../../system/files/read-small.js'
import { crc32cHex, crc32cStart, updateCrc32c } from './crc32c.js'
import type { ManifestFile } from './manifest-file.js'

/** What adds up the bytes of one file. */
interface Sum {
  update(bytes: Uint8Array): void
  hex(): string
}

const atOnce = 1 << 20

/**
 * Whether a file is the one of the manifest: its size and its checksum.
 * @throws a system error when it cannot be read, or is not there; the signal's reason when aborted.
 */
export async function isAsInManifest(
  path: string | Buffer,
  { size, algorithm, checksum }: ManifestFile,
  signal: AbortSignal,
): Promise<boolean> {
  const file = await openRegularFile(path)
  try {
    if ((await file.stat()).size !== size) return false
    const sum = sumFor(algorithm)
    if (!sum) return true
    const buffer = Buffer.allocUnsafe(Math.min(atOnce, size))
    for (let at = 0; at < size; ) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return false
      sum.update(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
    return sum.hex() === checksum
  } finally {
    await file.close()
  }
}

/** By the names of src/common/checksum_helper.c; none for `NONE`. */
function sumFor(algorithm: string): Sum | undefined {
  if (algorithm === 'NONE') return undefined
  if (algorithm === 'CRC32C') return crc32c()
  const hash = createHash(algorithm.toLowerCase())
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') }
}

function crc32c(): Sum {
  let state = crc32cStart
  return {
    update: (bytes) => {
      state = updateCrc32c(state, bytes)
    },
    hex: () => crc32cHex(state),
  }
}
