import type { Readable } from 'node:stream'

/** A longer line is not one of ours. */
const longest = 32 << 20

/**
 * Reads the first line of a stream, and leaves what follows in it. Undefined when it ends before.
 * @throws the signal's reason when aborted.
 */
export async function readFirstLine(input: Readable, signal: AbortSignal): Promise<string | undefined> {
  let read: Buffer = Buffer.alloc(0)
  for (;;) {
    const chunk: Buffer | null = input.read()
    if (chunk === null) {
      if (input.readableEnded || input.destroyed || read.length > longest) return undefined
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake)
          for (const event of ['readable', 'end', 'close', 'error']) input.off(event, wake)
          resolve()
        }
        for (const event of ['readable', 'end', 'close', 'error']) input.on(event, wake)
        signal.addEventListener('abort', wake)
      })
      signal.throwIfAborted()
      continue
    }
    read = Buffer.concat([read, chunk])
    const end = read.indexOf('\n')
    if (end === -1) continue
    if (end + 1 < read.length) input.unshift(read.subarray(end + 1))
    return read.subarray(0, end).toString()
  }
}
