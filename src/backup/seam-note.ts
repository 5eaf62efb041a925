import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { v } from '../schema.js'
import type { ArchivedSegment } from './archived-wal.js'
import { readNote } from './read-note.js'
import type { WalSeam } from './wal-seams.js'
import { tryToWriteNote } from './write-note.js'

const schema = v.object({ seam: v.string(), joins: v.boolean() })

/** In the archive before a seam: whether the one after it goes on there, so that it need not be looked at again. */
const fileName = '.pgbk-seam.json'

/** What was found out about a seam whose files are as they were; undefined when nothing is known. */
export function readSeamNote(seam: WalSeam): boolean | undefined {
  const known = readNote(schema, join(seam.before.directory, fileName))
  return known?.seam === keyOf(seam) ? known.joins : undefined
}

/** Only a help for the next time: where it cannot be written, it is not. */
export function writeSeamNote(seam: WalSeam, joins: boolean): Promise<void> {
  return tryToWriteNote(join(seam.before.directory, fileName), { seam: keyOf(seam), joins })
}

/** The files at a seam, as they are now. */
export function keyOf({ before, after, overlap }: WalSeam): string {
  const files = overlap ? [overlap.one, overlap.other] : [before, after]
  return files.map(textOf).join(' ')
}

function textOf({ directory, file }: ArchivedSegment): string {
  const found = statSync(join(directory, file), { throwIfNoEntry: false })
  return `${basename(dirname(directory))}/${file}:${found?.size}:${found?.mtimeMs}`
}
