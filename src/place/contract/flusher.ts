import { closeSync, fdatasync } from 'node:fs'
import { promisify } from 'node:util'

/** So much of a large file is flushed to disk while more of it comes: at the end all of it has to be there. */
export const flushedAtOnce = 32 << 20

interface FlushedFile {
  readonly descriptor: number
  /** Told after every write. */
  wrote(bytes: number): void
  /** Closes it, as soon as no flush goes on. */
  close(): void
}

/** Flushes files in the background, one flush of a file at a time. */
interface Flusher {
  take(descriptor: number): FlushedFile
  /** Waits for all flushes. @throws a system error when one has failed: the system tells that only once. */
  end(): Promise<void>
}

const flush = promisify(fdatasync)

export function openFlusher(): Flusher {
  const going = new Set<Promise<void>>()
  let fault: unknown
  return {
    take(descriptor) {
      let [waiting, isFlushing, isClosed] = [0, false, false]
      const ended = () => {
        isFlushing = false
        if (isClosed) closeSync(descriptor)
      }
      return {
        descriptor,
        wrote: (bytes) => {
          waiting += bytes
          if (waiting < flushedAtOnce || isFlushing) return
          waiting = 0
          isFlushing = true
          const work: Promise<void> = flush(descriptor)
            .catch((error) => {
              fault ??= error
            })
            .finally(() => {
              going.delete(work)
              ended()
            })
          going.add(work)
        },
        close: () => {
          isClosed = true
          if (!isFlushing) closeSync(descriptor)
        },
      }
    },
    async end() {
      await Promise.all(going)
      if (fault !== undefined) throw fault
    },
  }
}
