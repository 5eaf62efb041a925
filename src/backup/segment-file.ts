import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import type { ArchivedSegment } from './archive-segments.js'

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

/**
 * Does work with a segment's file. A receiver that is at work finishes and compresses segments: one that has gone is looked for under
 * the names that it can have by then.
 * @param work gets the file's name; throws ENOENT when there is none.
 * @throws {PgbkError} `damaged` when the segment is there in no form.
 */
export async function withSegmentFile<T>(
  directory: string,
  { name, file }: Pick<ArchivedSegment, 'name' | 'file'>,
  work: (file: string) => Promise<T>,
): Promise<T> {
  for (const candidate of new Set([file, name, `${name}.gz`])) {
    try {
      return await work(candidate)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
  throw new PgbkError('damaged', `WAL segment ${name} has gone from ${directory}`)
}
