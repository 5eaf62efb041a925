import { setImmediate } from 'node:timers/promises'
import { PgbkError } from '../../errors.js'
import { type BytePath, bytePath } from '../../system/paths/byte-path.js'
import { checkCount, type RawListing } from '../contract/listing.js'

/** Before each of so many names, a signal is heard. */
const atOnce = 100_000

/**
 * Reads what the listing script printed: what comes behind each separator, and nothing behind the last.
 * @throws {PgbkError} `failed` when the end is missing; `damaged` for more names than a backup has; the signal's reason.
 */
export async function parseRemoteListing(
  output: Buffer,
  token: string,
  source: string,
  signal: AbortSignal,
): Promise<RawListing> {
  const separator = `${token}\n`
  const parts: BytePath[][] = []
  let listed = 0
  let at = output.indexOf(separator)
  for (let next = at; at !== -1 && parts.length <= 4; at = next) {
    const from = at + separator.length
    next = output.indexOf(separator, from)
    const names: BytePath[] = []
    if (next !== -1)
      for (const name of namesIn(output.subarray(from, next))) {
        if (++listed % atOnce === 0) {
          await setImmediate()
          signal.throwIfAborted()
        }
        checkCount(listed, source)
        names.push(name)
      }
    parts.push(names)
  }
  const [directories, files, links] = parts
  if (parts.length === 4 && directories && files && links) return { directories, files, links }
  throw new PgbkError('failed', `the list of the files in ${source} ended early`)
}

/** Each is ended by a zero byte and begins with `./`; the directory itself is left out. */
function* namesIn(bytes: Buffer): Generator<BytePath> {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from)
    const name = bytePath(bytes.subarray(from, end === -1 ? undefined : end))
    if (name !== '.') yield (name.startsWith('./') ? name.slice(2) : name) as BytePath
    from = end === -1 ? bytes.length : end + 1
  }
}
