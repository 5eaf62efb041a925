import type { Readable } from 'node:stream'
import { streamProgram } from '../program/stream-program.js'

/**
 * Hands what passes `tests` (find(1)) in a tree to `visit`, as `KSIZE PATH`: `f` for a file, `d` for a directory or another letter for
 * what is neither, and the path below the top, each byte as one character. No link is followed. GNU find looks at a hundred thousand
 * files in a third of the time that it takes from here, and beside this process.
 * @returns false where there is no such program, or it has failed: then not all was handed over.
 * @throws the signal's reason when aborted.
 */
export async function listTree(
  top: string,
  tests: readonly string[],
  visit: (item: string) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<boolean> {
  const args = ['-P', top, '-mindepth', '1', ...tests, '-printf', '%y%s %P\\0']
  const read = (output: Readable) => readItems(output, visit)
  try {
    const { status, outcome } = await streamProgram('find', args, { signal }, read)
    return status === 0 && outcome.status === 'fulfilled'
  } catch {
    signal.throwIfAborted()
    return false
  }
}

/** Items end with a zero byte, which no name can have. */
async function readItems(output: Readable, take: (item: string) => void): Promise<void> {
  let rest = ''
  for await (const piece of output) {
    const items = `${rest}${(piece as Buffer).toString('latin1')}`.split('\0')
    rest = items.pop() ?? ''
    for (const item of items) take(item)
  }
}
