import { lstatSync, readdirSync } from 'node:fs'
import { rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { syncPath } from '../system/files/durable.js'
import { runProgram } from '../system/program/run-program.js'
import { filesInArchive } from '../wal-archive/archive-listing.js'
import { segmentsIn, usableFormsOf } from '../wal-segments/archive-segments.js'
import { parseSegmentName } from '../wal-segments/lsn.js'
import { sameContent } from '../wal-segments/same-content.js'
import { fileOf, filesOf, finishedForms, type SegmentForm } from '../wal-segments/segment-forms.js'
import { draftOf } from './archive-files.js'
import type { SegmentCompression } from './choose-compression.js'
import type { SegmentNoter } from './segment-noter.js'

/** Reads and compresses finished segments of archives, one after the other, beside everything else. */
export interface Compressor {
  /** Starts on the next segment, if there is one and none is being compressed. */
  tick(): void
  /** Gives up what it is doing, and waits until it has. */
  stop(): Promise<void>
}

interface CompressorOptions {
  /** The archive that somebody receives into, and others. */
  current: string
  others: string[]
  /** undefined: nothing is compressed. */
  compression: SegmentCompression | undefined
  segmentSize: number
  env: Environment
  /** Makes what reads segments for the planning of recoveries; undefined where nothing can. */
  noter?(signal: AbortSignal): SegmentNoter | undefined
  /** Told what could not be done. */
  onFault(text: string): void
}

const retryAfterMs = 60_000

export function startCompressor(options: CompressorOptions): Compressor {
  const { current, others, compression, segmentSize, env } = options
  const stopped = new AbortController()
  const { signal } = stopped
  const noter = options.noter?.(signal)
  /** The newest that was looked at in each archive, where they stay uncompressed. */
  const seen = new Map<string, string>()
  let work: Promise<void> | undefined
  let notBefore = 0
  const next = (): [string, string] | undefined => {
    for (const archive of [current, ...others]) {
      const names = namesIn(archive, segmentSize, { keepNewest: archive === current })
      const name = names.find((one) => inOrder(one) > (seen.get(archive) ?? ''))
      if (name !== undefined) return [archive, name]
    }
    return undefined
  }
  const finish = async (archive: string, name: string) => {
    if (!compression) seen.set(archive, inOrder(name))
    if (!compression && noter?.isNoted(archive, name)) return
    const note = await noter?.read(archive, name)
    const form =
      compression && (await compressSegment(archive, name, { ...compression, segmentSize, env, signal }))
    if (!form) seen.set(archive, inOrder(name))
    await noter?.keep(archive, fileOf(name, form ?? 'raw'), note)
  }
  const finishAll = async () => {
    try {
      for (let found = next(); found && !signal.aborted; found = next()) await finish(...found)
    } catch (error) {
      // A backup is deleted while its segments are compressed.
      if (signal.aborted || systemCode(error) === 'ENOENT') return
      options.onFault(messageOf(error))
      notBefore = Date.now() + retryAfterMs
    }
  }
  return {
    tick: () => {
      if ((!compression && !noter) || work || Date.now() < notBefore) return
      work = finishAll().finally(() => {
        work = undefined
      })
    },
    stop: async () => {
      stopped.abort()
      await work
    },
  }
}

function namesIn(archive: string, segmentSize: number, which: { keepNewest: boolean }): string[] {
  try {
    return compressible(archive, segmentSize, which)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

/**
 * The raw segments of an archive that may be compressed, oldest first. The newest stays while somebody receives there, for
 * pg_receivewal to go on from; so does what has not the size of a segment.
 */
export function compressible(
  archive: string,
  segmentSize: number,
  { keepNewest }: { keepNewest: boolean },
): string[] {
  const raw = readdirSync(archive)
    .filter((name) => parseSegmentName(name, segmentSize) !== undefined)
    .sort((one, other) => (inOrder(one) < inOrder(other) ? -1 : 1))
  const isWhole = (name: string) => {
    const found = lstatSync(join(archive, name), { throwIfNoEntry: false })
    return found?.isFile() === true && found.size === segmentSize
  }
  return (keepNewest ? raw.slice(0, -1) : raw).filter(isWhole)
}

/** A segment's name as it is sorted: by its position first, by its timeline then. */
function inOrder(name: string): string {
  return name.slice(8) + name
}

/** Compares what is compressed, byte by byte, before the raw segment may go. */
const scriptOf = ({ pack, unpack }: SegmentCompression) =>
  `nice -n 10 ${pack} <"$1" >"$2" && nice -n 10 ${unpack} <"$2" | cmp -s - "$1" || exit 1`

interface CompressOptions extends SegmentCompression {
  segmentSize: number
  env: Environment
  signal: AbortSignal
}

/**
 * Compresses one segment: into a draft, compared, flushed, renamed; then the raw one goes. At any moment one of them is whole.
 * It is done by a program of low priority beside this process.
 * @returns the form in which it is then; undefined where another compressed one is there and not the same: one of the two is damaged, and
 * whoever replays them sees which.
 * @throws {PgbkError} `failed` when it cannot be; the raw one stays then.
 */
export async function compressSegment(
  archive: string,
  name: string,
  options: CompressOptions,
): Promise<SegmentForm | undefined> {
  const raw = join(archive, name)
  const files = filesInArchive(archive, () => filesOf(name, finishedForms))
  const [one, other] = usableFormsOf(segmentsIn(files, options.segmentSize).get(name))
  if (one && other) {
    if ((await sameContent(one, other, options)) !== 'same') return undefined
    // Somebody was killed before it went.
    await unlink(raw)
    return other.form
  }
  const packed = fileOf(name, options.form)
  const draft = join(archive, draftOf(packed))
  const { env, signal } = options
  try {
    const { status, stderr } = await runProgram('sh', ['-c', scriptOf(options), 'sh', raw, draft], {
      env,
      signal,
    })
    if (status !== 0)
      throw new PgbkError(
        'failed',
        `cannot compress ${name}: ${stderr.trim().split('\n').at(-1) || 'the result is not the same'}`,
      )
    await syncPath(draft)
    await rename(draft, join(archive, packed))
    await syncPath(archive)
    await unlink(raw)
    return options.form
  } finally {
    await rm(draft, { force: true })
  }
}
