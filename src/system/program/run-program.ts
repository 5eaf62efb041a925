import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { byteCommand } from './byte-arguments.js'
import { groupIsGone, signalGroup } from './process-group.js'
import type { ProgramPlace } from './program-environment.js'
import { startProgram } from './start-program.js'

export interface ProgramOptions extends ProgramPlace {
  /** For its standard input, which is empty otherwise. */
  input?: string | Uint8Array
  /** Its output is not UTF-8, or must keep every byte: each then is one character. */
  bytewise?: boolean
  signal?: AbortSignal
  /** Gets every line of standard error as it comes; those lines are then not collected. */
  onErrorLine?(line: string): void
  /** The same for standard output, which may be of any length. */
  onLine?(line: string): void
  /** Reads standard output, of any length and kind, while it comes; when it fails the whole group is ended, and that is thrown. */
  readOutput?(output: Readable): Promise<void>
  /** After so many ms the program is ended and counts as failed: `timedOut`. */
  timeoutMs?: number
}

interface ProgramResult {
  /** Exit status, or undefined when a signal ended the program. */
  status: number | undefined
  /** The signal that ended the program, if one did. */
  endedBy: string | undefined
  /** Whether it was ended because its time was over. */
  timedOut: boolean
  stdout: string
  stderr: string
}

/**
 * Runs a program to its end, with arguments that may be raw (raw-text.ts); a non-zero exit status is a result, not an error. It leads a
 * process group of its own: a Ctrl-C at the terminal is for pgbk, which may need the program to clean up. When the signal is
 * aborted, the whole group is ended before the call throws.
 * @throws {PgbkError} when it cannot be started (`programs-missing` if it is not there); the signal's reason when aborted.
 */
export async function runProgram(
  file: string,
  args: string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { signal, onErrorLine, onLine, readOutput } = options
  signal?.throwIfAborted()
  const [command, words] = byteCommand(file, args)
  const { child, pid } = await startProgram(command, words, options, {
    stripFinalNewline: false,
    encoding: options.bytewise ? 'latin1' : 'utf8',
    detached: true,
    cleanup: false,
    buffer: { stdout: onLine === undefined && readOutput === undefined, stderr: onErrorLine === undefined },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  })
  if (options.bytewise) child.stderr?.setEncoding('latin1')
  if (onErrorLine && child.stderr) createInterface({ input: child.stderr }).on('line', onErrorLine)
  const told = onLine && child.stdout && linesOf(child.stdout, onLine)
  const endGroup = () => void signalGroup(pid, 'SIGTERM')
  signal?.addEventListener('abort', endGroup)
  const read = readOutput && child.stdout && outcomeOf(child.stdout, readOutput, endGroup)
  const result = await child
  signal?.removeEventListener('abort', endGroup)
  await told
  await groupIsGone(pid)
  const outcome = await read
  signal?.throwIfAborted()
  if (outcome?.status === 'rejected') throw outcome.reason
  return {
    status: result.exitCode,
    endedBy: result.signal,
    timedOut: result.timedOut,
    stdout: result.stdout ?? '',
    stderr: result.stderr ?? '',
  }
}

async function outcomeOf(
  stream: Readable,
  read: (output: Readable) => Promise<void>,
  giveUp: () => void,
): Promise<PromiseSettledResult<void>> {
  const [outcome] = await Promise.allSettled([read(stream)])
  if (outcome.status === 'rejected') {
    giveUp()
    stream.destroy()
  }
  return outcome
}

/** Lines end with a newline, and nothing else does: what is in them may be of anybody's choice. Done when the stream is. */
function linesOf(stream: Readable, take: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  stream.on('data', (bytes: Buffer) => {
    const lines = (rest + decoder.write(bytes)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
  return new Promise((done) => {
    stream.on('close', () => {
      if (rest !== '') take(rest)
      done()
    })
  })
}
