import type { Environment } from '../context.js'
import { messageOf, systemCode } from '../errors.js'
import { fileOf } from '../wal-segments/segment-forms.js'
import { compressible, compressSegment, inOrder } from './compress.js'
import type { SegmentNoter } from './segment-noter.js'

/** Reads and compresses finished segments of archives, one after the other, beside everything else. */
export interface Compressor {
  /** Starts on the next segment, if there is one and none is being compressed. */
  tick(): void
  /** Gives up what it is doing, and waits until it has. */
  stop(): Promise<void>
}

export interface CompressorOptions {
  /** The archive that somebody receives into, and others. */
  current: string
  others: string[]
  /** undefined: nothing is compressed. */
  level: number | undefined
  segmentSize: number
  env: Environment
  /** Makes what reads segments for the planning of recoveries; undefined where nothing can. */
  noter?(signal: AbortSignal): SegmentNoter | undefined
  /** Told what could not be done. */
  onFault(text: string): void
}

const retryAfterMs = 60_000

export function startCompressor(options: CompressorOptions): Compressor {
  const { current, others, level, segmentSize, env } = options
  const stopped = new AbortController()
  const { signal } = stopped
  const noter = options.noter?.(signal)
  /** The newest that was looked at in each archive, where they stay uncompressed. */
  const seen = new Map<string, string>()
  let work: Promise<void> | undefined
  let notBefore = 0
  const next = (): [string, string] | undefined => {
    for (const archive of [current, ...others]) {
      const names = namesIn(archive, segmentSize, archive === current)
      const name = names.find((one) => inOrder(one) > (seen.get(archive) ?? ''))
      if (name !== undefined) return [archive, name]
    }
    return undefined
  }
  const finish = async (archive: string, name: string) => {
    if (level === undefined) seen.set(archive, inOrder(name))
    if (level === undefined && noter?.isNoted(archive, name)) return
    const note = await noter?.read(archive, name)
    const isPacked =
      level !== undefined && (await compressSegment(archive, name, { level, segmentSize, env, signal }))
    if (!isPacked) seen.set(archive, inOrder(name))
    await noter?.keep(archive, fileOf(name, isPacked ? 'gzip' : 'raw'), note)
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
      if ((level === undefined && !noter) || work || Date.now() < notBefore) return
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

function namesIn(archive: string, segmentSize: number, keepNewest: boolean): string[] {
  try {
    return compressible(archive, segmentSize, keepNewest)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}
