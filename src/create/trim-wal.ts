import { constants } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { WalRange } from '../snapshot/manifest/manifest-parser.js'
import { parseLsn, segmentName, segmentNumber } from '../wal-segments/lsn.js'

/** Bytes at a time. */
const step = 1 << 16

/**
 * Lets the WAL inside of a standby's snapshot end where the backup ends: PostgreSQL replays all that it finds there, also what the
 * standby had received, and was not to replay yet. Behind its end there are zeros then, as pg_basebackup fills segments. All is on disk
 * when this returns.
 * @param further segments behind the backup's last one, which go.
 * @returns whether there was any more WAL.
 */
export async function trimWal(
  pgWal: string,
  { timeline, endLsn }: WalRange,
  segmentSize: number,
  further: string[],
): Promise<boolean> {
  const end = parseLsn(endLsn)
  const from = Number(end % BigInt(segmentSize))
  const last = join(pgWal, segmentName(timeline, segmentNumber(end, segmentSize), segmentSize))
  const hadMore = from > 0 && (await emptyFrom(last, from))
  for (const name of further) {
    await rm(join(pgWal, name))
    await rm(join(pgWal, 'archive_status', `${name}.done`), { force: true })
  }
  return hadMore || further.length > 0
}

/** Returns whether there was anything but zeros. */
async function emptyFrom(path: string, from: number): Promise<boolean> {
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const { size } = await file.stat()
    let hadMore = false
    for (let at = from; at < size; at += step)
      hadMore = (await empty(file, at, Math.min(step, size - at))) || hadMore
    if (hadMore) await file.sync()
    return hadMore
  } finally {
    await file.close()
  }
}

async function empty(file: FileHandle, at: number, length: number): Promise<boolean> {
  const zeros = Buffer.alloc(length)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  if (buffer.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead))) return false
  await file.write(zeros, 0, length, at)
  return true
}
