import { open, readFile } from 'node:fs/promises'
import { PgbkError } from '../errors.js'

/** What backup_label says about the start of a backup. */
export interface BackupLabel {
  startLsn: string
  checkpointLsn: string
  timeline: number
  fromStandby: boolean
}

/** @throws {PgbkError} `damaged` when the file is not as src/backend/access/transam/xlogbackup.c writes it. */
export async function readBackupLabel(path: string): Promise<BackupLabel> {
  const text = await readFile(path, 'utf8')
  const field = (pattern: RegExp) => {
    const value = pattern.exec(text)?.[1]
    if (value === undefined) throw new PgbkError('damaged', `${path} is not understood: no ${pattern.source}`)
    return value
  }
  return {
    startLsn: field(/^START WAL LOCATION: (\S+) /m),
    checkpointLsn: field(/^CHECKPOINT LOCATION: (\S+)/m),
    timeline: Number(field(/^START TIMELINE: (\d+)/m)),
    fromStandby: field(/^BACKUP FROM: (\w+)/m) === 'standby',
  }
}

export interface WalRange {
  timeline: number
  startLsn: string
  endLsn: string
}

const tailBytes = 64 * 1024

/**
 * The WAL that a backup needs to be consistent. Only the manifest's end is read: a large cluster's has hundreds of MB.
 * @throws {PgbkError} `damaged` when the manifest is not as backup_manifest.c writes it, or names more than one timeline.
 */
export async function readWalRange(manifest: string): Promise<WalRange> {
  const text = await readTail(manifest)
  const ranges = /"WAL-Ranges": (\[[^\]]*\])/.exec(text)?.[1]
  const parsed = ranges === undefined ? [] : JSON.parse(ranges)
  if (parsed.length !== 1)
    throw new PgbkError('damaged', `${manifest} names ${parsed.length} WAL ranges instead of one`)
  const [range] = parsed
  return { timeline: range.Timeline, startLsn: range['Start-LSN'], endLsn: range['End-LSN'] }
}

async function readTail(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const start = Math.max(0, size - tailBytes)
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(Math.min(size, tailBytes)),
      0,
      undefined,
      start,
    )
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}
