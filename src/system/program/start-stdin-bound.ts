import { once } from 'node:events'
import type { Socket } from 'node:net'
import { groupIsGone, signalGroup } from './process-group.js'
import type { ProgramPlace } from './program-environment.js'
import { startProgram } from './start-program.js'

/** A program that goes on until it is told to end, or until this process is gone. */
export interface StdinBoundProgram {
  /** The first line that it printed, or undefined when it ended before. */
  firstLine: string | undefined
  pid: number
  /** What it wrote to standard error so far. */
  stderr(): string
  /** What it printed so far. */
  output(): string
  hasEnded(): boolean
  /** Settled when it has ended, whatever it has started. */
  ended: Promise<void>
  write(text: string): void
  /** Has one that prints what it reads answer: waits for that, or its end, or the signal. */
  answerOrEnd(signal: AbortSignal): Promise<void>
  /** Lets it go on when this process ends. */
  release(): void
  /** Closes its standard input and waits for its end. */
  end(): Promise<void>
}

interface StdinBoundOptions extends ProgramPlace {
  signal?: AbortSignal
  descriptor?: number | undefined
  endsByInput?: boolean
  input?: Promise<string>
}

const mostEndMs = 10_000

/**
 * Starts a program that reads its standard input to the end, and waits for its first line. Its input closes when
 * this process ends, in whatever way; a Ctrl-C at the terminal does not reach it.
 * @param options with `descriptor`, that open file of this process is the program's descriptor 3. With `endsByInput`, an abort before the
 * first line closes its input, for it to end what it has started: a signal would end it alone where that hears none (unshare(1)
 * blocks SIGTERM). When that takes too long all are killed. `input` is what is written to it first, when that is there.
 * @throws {PgbkError} `programs-missing` when it is not there; the signal's reason when aborted before the first line.
 */
export async function startStdinBound(
  file: string,
  args: string[],
  options: StdinBoundOptions,
): Promise<StdinBoundProgram> {
  options.signal?.throwIfAborted()
  const { child, pid } = await startProgram(file, args, options, {
    // execa takes a descriptor's number here, as node does; its type knows of it for the first three only.
    stdio: ['pipe', 'pipe', 'pipe', (options.descriptor ?? 'ignore') as 'ignore'],
    detached: true,
    cleanup: false,
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin.on('error', () => {}) // it has ended: hasEnded tells
  void options.input?.then((text) => child.stdin.write(text))
  const stop = () => {
    if (!options.endsByInput) return void signalGroup(pid, 'SIGTERM')
    child.stdin.end()
    const tooLong = setTimeout(() => signalGroup(pid, 'SIGKILL'), mostEndMs)
    void child.then(() => clearTimeout(tooLong))
  }
  options.signal?.addEventListener('abort', stop, { once: true })
  if (options.signal?.aborted) stop()
  await Promise.race([once(child.stdout, 'data'), child])
  options.signal?.removeEventListener('abort', stop)
  if (options.signal?.aborted) {
    stop()
    await child
    // What it has started hears of it at the same time, and has its own ends to see to.
    if (!options.endsByInput) await groupIsGone(pid)
    options.signal.throwIfAborted()
  }
  return {
    pid,
    firstLine: stdout === '' ? undefined : stdout.split('\n')[0],
    stderr: () => stderr,
    output: () => stdout,
    ended,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    write: (text) => void child.stdin.write(text),
    answerOrEnd: (signal) => {
      const answer = once(child.stdout, 'data', { signal }).catch(() => {}) // aborted
      child.stdin.write('\n')
      return Promise.race([answer.then(() => {}), ended])
    },
    release: () => {
      child.unref()
      for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as Socket).unref()
    },
    end: async () => {
      child.stdin.end()
      await child
    },
  }
}
