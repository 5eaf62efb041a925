import { createInterface } from 'node:readline/promises'
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
  // In raw mode Ctrl-C comes as a key, and Ctrl-D ends the input: both are a no.
  lines.on('SIGINT', () => ended.abort()).on('close', () => ended.abort())
  try {
    const answer = await lines.question(`${printableLines(question)} [y/N] `, {
      signal: AbortSignal.any([signal, ended.signal]),
    })
    return /^y(es)?$/i.test(answer.trim())
  } catch {
    output.write('\n')
    signal.throwIfAborted()
    return false
  } finally {
    lines.close()
  }
}
