import { closeSync, fstatSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../errors.js'
import { openRegular } from '../system/files/read-small.js'
import type { ArchivedSegment } from './archive-segments.js'

const blockSize = 64 * 1024

/** The bytes of an unfinished segment before the zeros at its end; all when it has been finished meanwhile. */
export function writtenTo({ directory, file, bytes }: ArchivedSegment): number {
  try {
    const opened = openRegular(join(directory, file))
    try {
      return endOfContent(opened)
    } finally {
      closeSync(opened)
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return bytes
    throw error
  }
}

function endOfContent(file: number): number {
  const zeros = Buffer.alloc(blockSize)
  const block = Buffer.alloc(blockSize)
  for (let end = fstatSync(file).size; end > 0; end -= blockSize) {
    const start = Math.max(0, end - blockSize)
    const read = block.subarray(0, readSync(file, block, 0, end - start, start))
    if (read.equals(zeros.subarray(0, read.length))) continue
    return start + read.findLastIndex((byte) => byte !== 0) + 1
  }
  return 0
}
