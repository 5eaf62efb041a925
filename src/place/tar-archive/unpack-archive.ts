import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReadEntry, Unpack } from 'tar'
import { explained, systemCode } from '../../errors.js'

/** What it had begun to write. */
async function isDone(into: Unpack): Promise<void> {
  await Promise.race([once(into, 'close').catch(() => {}), sleep(1000)])
}

function isWanted(path: string, { type, linkpath = '' }: ReadEntry): boolean {
  if (type !== 'SymbolicLink') return ['File', 'OldFile', 'Directory'].includes(type)
  const [, oid] = /\/snapshot\/data\/pg_tblspc\/(\d+)$/.exec(path) ?? []
  return oid !== undefined && linkpath === `../../tablespaces/${oid}`
}

/**
 * Unpacks the tar of a backup into a directory of the caller's own: nothing but directories, regular files and the links of
 * tablespaces, and none outside of it.
 * @returns why the tar has no end, when it was cut off.
 * @throws {PgbkError} `disk-full` or `failed` when it cannot be written; the signal's reason when aborted.
 */
export async function unpackArchive(tar: Readable, directory: string, signal: AbortSignal): Promise<unknown> {
  const { extract } = await import('tar')
  const into = extract({
    cwd: directory,
    strict: true,
    gzip: false,
    filter: (path, entry) => !('type' in entry) || isWanted(path, entry),
  })
  try {
    await pipeline(tar, into, { signal })
    return undefined
  } catch (cause) {
    await isDone(into)
    signal.throwIfAborted()
    if (systemCode(cause)?.startsWith('E')) throw explained(cause, 'take over the backup')
    return cause
  }
}

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
