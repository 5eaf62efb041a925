import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/** Reads a range of an open file, for a call of the system may give less. @returns how much there is: less only at the file's end. */
export function readFully(file: number, position: number, into: Buffer, at: number, length: number): number {
  let done = 0
  while (done < length) {
    const got = readSync(file, into, at + done, length - done, position + done)
    if (got === 0) break
    done += got
  }
  return done
}

/** The same, to the beginning of a buffer, while others go on. */
export async function readRange(
  file: FileHandle,
  position: number,
  into: Buffer,
  length: number,
): Promise<number> {
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(into, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
