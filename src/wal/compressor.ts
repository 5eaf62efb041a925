import type { Environment } from '../context.js'
import { messageOf, systemCode } from '../errors.js'
import { compressible, compressSegment } from './compress.js'

/** Compresses finished segments of archives, one after the other, beside everything else. */
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
  /** Told what could not be done. */
  onFault(text: string): void
}

const retryAfterMs = 60_000

export function startCompressor(options: CompressorOptions): Compressor {
  const { current, others, level, segmentSize, env } = options
  const stopped = new AbortController()
  let work: Promise<void> | undefined
  let notBefore = 0
  const next = (): [string, string] | undefined => {
    for (const archive of [current, ...others]) {
      const [name] = namesIn(archive, segmentSize, archive === current)
      if (name !== undefined) return [archive, name]
    }
    return undefined
  }
  const compressAll = async (gzip: number) => {
    try {
      for (let found = next(); found && !stopped.signal.aborted; found = next()) {
        await compressSegment(found[0], found[1], { level: gzip, env, signal: stopped.signal })
      }
    } catch (error) {
      // A backup is deleted while its segments are compressed.
      if (stopped.signal.aborted || systemCode(error) === 'ENOENT') return
      options.onFault(messageOf(error))
      notBefore = Date.now() + retryAfterMs
    }
  }
  return {
    tick: () => {
      if (level === undefined || work || Date.now() < notBefore) return
      work = compressAll(level).finally(() => {
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
