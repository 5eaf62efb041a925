import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { checkJson, v } from '../../schema.js'
import { tryToWriteNote } from '../../system/files/durable.js'
import { readNote } from '../../system/files/read-note.js'
import { type ArchivedSegment, pathOf } from '../../wal-segments/archive-segments.js'
import type { WalSeam } from '../wal-seams.js'
import { readSegmentKey, segmentKey } from './segment-key.js'
import { signedLine, signedText } from './signed-line.js'

const schema = v.object({ seam: v.string(), joins: v.boolean() })
const signed = v.object({ signed: v.string() })

/** In the archive before a seam: whether the one after it goes on there, so that it need not be looked at again. */
const fileName = '.pgbk-seam.json'

/** What was found out in this root about a seam whose files are as they were; undefined when nothing is known. */
export function readSeamNote(seam: WalSeam): boolean | undefined {
  const { archive: directory } = seam
  const line = readNote(signed, `${directory}/${fileName}`)?.signed
  const key = line === undefined ? undefined : readSegmentKey(backupsOf(directory))
  const text = key && signedText(line ?? '', key)
  const known = text === undefined ? undefined : checkJson(schema, text).value
  return known?.seam === seamKey(seam) ? known.joins : undefined
}

/** Only a help for the next time: where it cannot be written, it is not. */
export async function writeSeamNote(seam: WalSeam, joins: boolean): Promise<void> {
  const { archive: directory } = seam
  const key = await segmentKey(backupsOf(directory))
  if (!key) return
  const text = JSON.stringify({ seam: seamKey(seam), joins })
  tryToWriteNote(`${directory}/${fileName}`, { signed: signedLine(text, key) })
}

/** The directory of the backups to one of which an archive belongs. */
function backupsOf(archive: string): string {
  return dirname(dirname(archive))
}

/** The files that tell whether it joins, as they are now. */
export function seamKey(seam: WalSeam): string {
  const files = [seam.before, seam.after, ...seam.overlaps().flatMap(({ one, other }) => [one, other])]
  return [...new Set(files.map(textOf))].join(' ')
}

function textOf(segment: ArchivedSegment): string {
  const { directory, file } = segment
  const found = statSync(pathOf(segment), { throwIfNoEntry: false })
  return `${basename(dirname(directory))}/${file}:${found?.size}:${found?.mtimeMs}`
}
