import { readSync } from 'node:fs'

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
