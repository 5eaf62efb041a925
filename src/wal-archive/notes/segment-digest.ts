import { crc32 } from 'node:zlib'
import { scan } from '../../system/files/read-small.js'

/**
 * Tells one content of a segment from another, as 8 digits (CRC-32). It is compared between signed notes alone, whose files are still
 * those that were read: accidents are all that it has to find. It is cheaper than anything that more would be needed for.
 * @throws as `scan`.
 */
export async function segmentDigest(path: string): Promise<string> {
  let value = 0
  await scan(path, (piece) => {
    value = crc32(piece, value)
  })
  return value.toString(16).padStart(8, '0')
}
