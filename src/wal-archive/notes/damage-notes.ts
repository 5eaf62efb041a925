import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { checkJson, v } from '../../schema.js'
import { replaceDurably } from '../../system/files/durable.js'
import { mostBytes, readSmallText } from '../../system/files/read-small.js'
import type { ArchivedSegment, ArchivedWal } from '../archived-wal.js'
import { readSegmentKey, segmentKey } from './segment-key.js'
import { fileIdentity } from './segment-notes.js'
import { signedLine, signedText } from './signed-line.js'

const identity = v.nullable(v.string())

const schema = v.strictObject({
  /** The segment's 24 digits. */
  name: v.string(),
  /** As `fileIdentity` tells them: of the segment before, its own, and that of the next one, into which its last record may lead. */
  files: v.strictTuple([identity, v.string(), identity]),
  reason: v.string(),
  is_readable: v.boolean(),
})

/** What somebody who has read a segment to replay it has found wrong with it. */
export type DamageNote = v.InferOutput<typeof schema>

/** The identities of the files around a segment of a chain, and its own. */
export type FilesAround = [string | null, string | null, string | null]

/** In a WAL archive, one note a line; it may be removed at any time. */
const fileName = '.pgbk-damage'

/** Where it is about more segments, the oldest notes go. */
const mostNotes = 16

export function filesAround(chain: ArchivedSegment[], index: number): FilesAround {
  const at = (one: number) => {
    const segment = chain[one]
    return (segment && fileIdentity(join(segment.directory, segment.file))) ?? null
  }
  return [at(index - 1), at(index), at(index + 1)]
}

/** The notes in an archive that were signed in this root; none where they cannot be read. */
export function readDamageNotes(directory: string, backups: string): DamageNote[] {
  let lines: string[]
  try {
    lines = readSmallText(join(directory, fileName), mostBytes.note).split('\n')
  } catch {
    return [] // there is none, or whatever is in its place
  }
  const key = readSegmentKey(backups)
  return lines.flatMap((line) => {
    const text = key && signedText(line, key)
    return (text !== undefined && checkJson(schema, text).value) || []
  })
}

/** Whether all files around a segment are as they were when it was read. One that is only on one side does not count. */
export function stillFits(
  { files }: DamageNote,
  { chain }: Pick<ArchivedWal, 'chain'>,
  index: number,
): boolean {
  const now = filesAround(chain, index)
  return files.every((file, at) => file === now[at] || (at !== 1 && (file === null || now[at] === null)))
}

/** Only a help for whoever does not read all: where it cannot be written, it is not. */
export async function addDamageNote(directory: string, note: DamageNote, backups: string): Promise<void> {
  const notes = readDamageNotes(directory, backups)
  if (notes.some((one) => isDeepStrictEqual(one, note))) return
  const others = notes.filter(({ name }) => name !== note.name)
  const key = await segmentKey(backups)
  if (key) await write(directory, [...others, note].slice(-mostNotes), key)
}

/** For segments that were read and are sound. */
export async function removeDamageNotes(directory: string, names: string[], backups: string): Promise<void> {
  const notes = readDamageNotes(directory, backups)
  const others = notes.filter(({ name }) => !names.includes(name))
  const key = readSegmentKey(backups)
  if (key && others.length < notes.length) await write(directory, others, key)
}

async function write(directory: string, notes: DamageNote[], key: Buffer): Promise<void> {
  const path = join(directory, fileName)
  const lines = notes.map((note) => `${signedLine(JSON.stringify(note), key)}\n`)
  const written = lines.length > 0 ? replaceDurably(path, lines.join('')) : rm(path, { force: true })
  await written.catch(() => {}) // read-only, another's, or full
}
