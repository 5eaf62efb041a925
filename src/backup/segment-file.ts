import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { messageOf, PgbkError, systemCode } from '../errors.js'

/** Unpacks a compressed segment. @throws {PgbkError} `damaged` when it is no whole gzip file of one segment. */
export async function unpackSegment(source: string, target: string, segmentSize: number): Promise<void> {
  try {
    await pipeline(createReadStream(source), createGunzip(), createWriteStream(target, { mode: 0o600 }))
  } catch (cause) {
    if (!/^Z_/.test(systemCode(cause) ?? '')) throw cause
    throw new PgbkError('damaged', `WAL segment ${source} is damaged: ${messageOf(cause)}`, { cause })
  }
  const { size } = await stat(target)
  if (size === segmentSize) return
  throw new PgbkError(
    'damaged',
    `WAL segment ${basename(source)} has ${size} bytes unpacked instead of ${segmentSize}`,
  )
}
