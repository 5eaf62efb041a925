import { rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable, type Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { messageOf, PgbkError, systemCode, systemErrorPath } from '../errors.js'
import { piecesOf } from '../system/files/read-small.js'
import type { ArchivedSegment } from './archive-segments.js'
import { filesOf, finishedForms, type Packing, packingOf, segmentFileOf } from './segment-forms.js'

/**
 * What a segment's file has, unpacked where its form is a packed one. It ends at most one byte behind a segment's size: a few bytes of
 * gzip may stand for any number.
 * @throws a system error; one with a code `Z_...` when it cannot be unpacked; {PgbkError} `damaged` when it is not a file.
 */
export async function* segmentPieces(path: string, segmentSize: number): AsyncGenerator<Buffer> {
  const packing = packingAt(path)
  const pieces: AsyncIterable<Buffer> = packing ? unpacked(path, packing) : piecesOf(path)
  let left = segmentSize + 1
  for await (const piece of pieces) {
    yield piece.subarray(0, left)
    left -= piece.length
    if (left <= 0) return
  }
}

/** How the bytes of a segment's file have been packed; undefined where they are as they are. */
export function packingAt(path: string): Packing | undefined {
  const file = segmentFileOf(basename(path))
  return file && packingOf(file.form)
}

const unpackers: Record<Packing, () => Transform> = {
  gzip: () => createGunzip({ chunkSize: 256 << 10 }),
}

async function* unpacked(path: string, packing: Packing): AsyncGenerator<Buffer> {
  const source = Readable.from(piecesOf(path), { objectMode: false })
  const unpacker = unpackers[packing]()
  source.on('error', (error) => void unpacker.destroy(error))
  try {
    yield* source.pipe(unpacker)
  } finally {
    source.destroy()
    unpacker.destroy()
  }
}

/**
 * Unpacks a compressed segment. On failure nothing stays at the target, also not a moment later.
 * @throws {PgbkError} `damaged` when it is not a whole gzip file of one segment.
 */
export async function unpackSegment(source: string, target: string, segmentSize: number): Promise<void> {
  let size = 0
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const piece of segmentPieces(source, segmentSize)) {
      size += piece.length
      yield piece
    }
  }
  try {
    await writeFile(target, counted(), { mode: 0o600 })
    checkUnpackedSize(source, size, segmentSize)
  } catch (cause) {
    await rm(target, { force: true })
    if (!/^Z_/.test(systemCode(cause) ?? '')) throw cause
    throw new PgbkError('damaged', `WAL segment ${source} is damaged: ${messageOf(cause)}`, {
      cause,
      facts: { path: source, reason: `it is damaged: ${messageOf(cause)}` },
    })
  }
}

function checkUnpackedSize(source: string, size: number, segmentSize: number): void {
  if (size === segmentSize) return
  const isMore = size > segmentSize
  const found = isMore ? `more than ${segmentSize}` : size
  // The reason is that of a raw segment of this size.
  const reason = `it has ${found} bytes${isMore ? '' : ` instead of ${segmentSize}`}`
  throw new PgbkError(
    'damaged',
    `WAL segment ${basename(source)} has ${found} bytes unpacked instead of ${segmentSize}`,
    { facts: { path: source, reason } },
  )
}

/**
 * Does work with a segment's file. A receiver that is at work finishes and compresses segments: one that has gone is looked for under
 * the names that it can have by then.
 * @param work gets the file's path; throws ENOENT of it when there is none.
 * @throws {PgbkError} `damaged` when the segment is there in no form.
 */
export async function withSegmentFile<T>(
  { directory, name, file }: Pick<ArchivedSegment, 'directory' | 'name' | 'file'>,
  work: (path: string) => Promise<T>,
): Promise<T> {
  for (const candidate of new Set([file, ...filesOf(name, finishedForms)])) {
    const path = join(directory, candidate)
    try {
      return await work(path)
    } catch (error) {
      // Work with two files may lack the other one.
      if (systemCode(error) !== 'ENOENT' || (systemErrorPath(error) ?? path) !== path) throw error
    }
  }
  throw new PgbkError('damaged', `WAL segment ${name} has gone from ${directory}`, {
    facts: { segment: name, path: directory, reason: 'it has gone' },
  })
}
