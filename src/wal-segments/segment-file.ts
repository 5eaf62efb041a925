import { rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PgbkError, systemCode, systemErrorPath } from '../errors.js'
import { piecesOf } from '../system/files/read-small.js'
import type { ArchivedSegment } from './archive-segments.js'
import { filesOf, finishedForms, type Packing, packingOf, segmentFileOf } from './segment-forms.js'
import { type Unpacking, unpackedPieces } from './unpacked-pieces.js'

/**
 * What a segment's file has, unpacked where its form is a packed one. It ends at most one byte behind a segment's size: a few bytes of
 * gzip may stand for any number.
 * @throws as `unpackedPieces`.
 */
export async function* segmentPieces(
  path: string,
  segmentSize: number,
  place: Unpacking,
): AsyncGenerator<Buffer> {
  const packing = packingAt(path)
  const pieces: AsyncIterable<Buffer> = packing ? unpackedPieces(path, packing, place) : piecesOf(path)
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

/**
 * Unpacks a compressed segment. On failure nothing stays at the target, also not a moment later.
 * @throws as `unpackedPieces`; {PgbkError} `damaged` when it is not a whole file of one segment.
 */
export async function unpackSegment(
  source: string,
  target: string,
  segmentSize: number,
  place: Unpacking,
): Promise<void> {
  let size = 0
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const piece of segmentPieces(source, segmentSize, place)) {
      size += piece.length
      yield piece
    }
  }
  try {
    await writeFile(target, counted(), { mode: 0o600 })
    checkUnpackedSize(source, size, segmentSize)
  } catch (cause) {
    await rm(target, { force: true })
    throw cause
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
