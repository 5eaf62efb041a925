import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { cannotStart } from './cannot-start.js'
import { type ProgramPlace, startOptions } from './program-environment.js'

/** A program that works together with this process. */
export interface Partner {
  /** Its standard input. */
  input: Writable
  /** The first line that it writes to descriptor 3; undefined when it ends before. */
  firstLine(): Promise<string | undefined>
  /** Its exit status; undefined when a signal has ended it. */
  ended: Promise<number | undefined>
  /** Sends a signal to it. */
  kill(signal: NodeJS.Signals): void
}

/**
 * Starts a program in a session of its own, with its output where this process has it: it has no terminal, and hears no Ctrl-C.
 * @throws {PgbkError} when it cannot be started.
 */
export async function startPartner(file: string, args: string[], place: ProgramPlace): Promise<Partner> {
  const { execa } = await import('execa')
  const child = execa(file, args, {
    ...startOptions(place),
    buffer: false,
    cleanup: false,
    detached: true,
    stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
  })
  if (child.pid === undefined) throw cannotStart(file, await child)
  child.stdin.on('error', () => {}) // it has ended: its status tells why
  const notes = child.stdio[3] as unknown as Readable
  return {
    input: child.stdin,
    firstLine: async () => {
      const [text] = (await Promise.race([once(notes, 'data'), child.then(() => [])])) as Buffer[]
      return text?.toString().split('\n')[0]
    },
    ended: child.then(({ exitCode }) => exitCode),
    kill: (signal) => void child.kill(signal),
  }
}
