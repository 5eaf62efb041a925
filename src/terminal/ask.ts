import { createInterface } from 'node:readline/promises'
import { PgbkError } from '../errors.js'
import { printableLines } from './screen.js'

/** Asks on the terminal; anything but y or yes is a no. @throws the signal's reason when interrupted. */
export async function askYesOrNo(
  question: string,
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<boolean> {
  const lines = createInterface({ input, output })
  const ended = new AbortController()
  // In raw mode Ctrl-C comes as a key; Ctrl-D ends the input, which is a no.
  let isInterrupted = false
  lines
    .on('SIGINT', () => {
      isInterrupted = true
      ended.abort()
    })
    .on('close', () => ended.abort())
  try {
    const answer = await lines.question(`${printableLines(question)} [y/N] `, {
      signal: AbortSignal.any([signal, ended.signal]),
    })
    return /^y(es)?$/i.test(answer.trim())
  } catch {
    output.write('\n')
    signal.throwIfAborted()
    if (isInterrupted) throw new PgbkError('interrupted', 'interrupted')
    return false
  } finally {
    lines.close()
  }
}
