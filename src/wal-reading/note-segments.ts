import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { scan } from '../system/files/read-small.js'
import type { ArchivedSegment } from '../wal-archive/archived-wal.js'
import { isShort } from '../wal-archive/notes/segment-facts.js'
import { fileIdentity, type IndexedNote } from '../wal-archive/notes/segment-notes.js'
import { type ReadLimits, type ReadSegments, readSegments } from './read-segments.js'
import { lastOfRecord } from './record-span.js'
import { nameAt, pathInWaldump, type WaldumpDirectory, type WalStep } from './waldump-directory.js'

/** Digests by the identities of their files. */
export interface Digests {
  known: ReadonlyMap<string, string>
  made: Map<string, string>
}

/**
 * Reads segments as `readSegments` does, and makes notes of those that are wanted, where both they and the next ones are finished, are
 * without fault, and are the same before and after.
 */
export async function readAndNote(
  waldump: WaldumpDirectory,
  step: WalStep,
  limits: ReadLimits,
  isWanted: (segment: ArchivedSegment) => boolean,
  digested: Digests = { known: new Map(), made: new Map() },
): Promise<{ read: ReadSegments; notes: IndexedNote[] }> {
  const wanted = finishedIn(waldump, step, limits.lastToRead).filter(({ segment }) => isWanted(segment))
  const indexes = [...new Set(wanted.flatMap(({ index }) => [index, index + 1]))]
  const before = new Map(indexes.map((index) => [index, identityOf(waldump, index)]))
  const digest = () => digestFiles(waldump, before, digested)
  const read = await readSegments(waldump, step, limits, digest)
  const digestOf = (index: number) => digested.made.get(before.get(index) ?? '')
  const notes: IndexedNote[] = []
  for (const { index, segment } of wanted) {
    const [own, next] = [digestOf(index), digestOf(index + 1)]
    const [file, facts] = [before.get(index), read.facts[index - step.first]]
    if (!facts || !isShort(facts) || file === undefined || own === undefined || next === undefined) continue
    if (read.damage && read.damage.index <= index + 1) continue
    const isSame = [index, index + 1].every((one) => identityOf(waldump, one) === before.get(one))
    // What a note is bound to ends with the next segment.
    if (!isSame || (await lastOfRecord(waldump, index, index + 2)) > index + 1) continue
    const { name } = segment
    const note = { name, file, system_identifier: limits.systemIdentifier, digest: own, next, facts }
    notes.push({ index, note })
  }
  return { read, notes }
}

function finishedIn({ wal: { chain } }: WaldumpDirectory, { first, last }: WalStep, lastToRead: number) {
  const isFinished = (index: number) => (chain[index]?.form ?? 'partial') !== 'partial'
  return chain
    .slice(first, last + 1)
    .map((segment, at) => ({ segment, index: first + at }))
    .filter(({ index }) => index < lastToRead && isFinished(index) && isFinished(index + 1))
}

/** Of its file in the archive, whatever is in the directory of pg_waldump. */
function identityOf({ wal }: WaldumpDirectory, index: number): string | undefined {
  const segment = wal.chain[index]
  return segment && fileIdentity(join(segment.directory, segment.file))
}

async function digestFiles(
  waldump: WaldumpDirectory,
  files: Map<number, string | undefined>,
  { known, made }: Digests,
): Promise<void> {
  for (const [index, file] of files) {
    waldump.options.signal.throwIfAborted()
    if (file === undefined) continue
    try {
      const path = pathInWaldump(waldump, nameAt(waldump, index))
      made.set(file, known.get(file) ?? (await segmentDigest(path)))
    } catch {
      // A receiver has just renamed it, or it is of no use: then it gets no note.
    }
  }
}

/**
 * Tells one content of a segment from another, as 8 digits (CRC-32). It is compared between signed notes alone, whose files are still
 * those that were read: accidents are all that it has to find. It is cheaper than anything that more would be needed for.
 * @throws as `scan`.
 */
async function segmentDigest(path: string): Promise<string> {
  let value = 0
  await scan(path, (piece) => {
    value = crc32(piece, value)
  })
  return value.toString(16).padStart(8, '0')
}
