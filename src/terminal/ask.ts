import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { PgbkError } from '../errors.js'
import { printableLines } from './screen.js'

/** Asks on the terminal; anything but y or yes is a no. @throws the signal's reason when interrupted. */
export async function askYesOrNo(
  question: string,
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await lineFor(`${question} [y/N] `, { input, output, signal })
  return /^y(es)?$/i.test(answer?.trim() ?? '')
}

/** Asks for what nobody may see. An end of the input is an empty answer. @throws the signal's reason when interrupted. */
export async function askSecret(
  question: string,
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<string> {
  const answer = await lineFor(question, { input, output, signal, isSecret: true })
  return answer ?? ''
}

interface Asked {
  input: NodeJS.ReadStream
  output: NodeJS.WriteStream
  signal: AbortSignal
  isSecret?: boolean
}

/** Undefined where the input ends. */
async function lineFor(question: string, asked: Asked): Promise<string | undefined> {
  const { input, output, signal, isSecret = false } = asked
  const shown = printableLines(question)
  // What is typed goes where the question goes; as a terminal, it is not shown by the system either.
  const lines = createInterface(isSecret ? { input, output: nowhere(), terminal: true } : { input, output })
  // Only now: what answers at once would be shown before.
  if (isSecret) output.write(shown)
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
    const answer = await lines.question(isSecret ? '' : shown, {
      signal: AbortSignal.any([signal, ended.signal]),
    })
    if (isSecret) output.write('\n')
    return answer
  } catch {
    output.write('\n')
    signal.throwIfAborted()
    if (isInterrupted) throw new PgbkError('interrupted', 'interrupted')
    return undefined
  } finally {
    lines.close()
  }
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() })
}
