import type { Readable, Writable } from 'node:stream'
import { PgbkError } from '../../errors.js'
import { cannotStart } from './cannot-start.js'
import { type ProgramPlace, startOptions } from './program-environment.js'

/** A program that turns one stream into another. */
export interface FilterProgram {
  input: Writable
  output: Readable
  /** Waits for its end. @throws {PgbkError} `failed` when it failed. */
  succeeded(): Promise<void>
}

/**
 * Starts a program that reads its input and writes its output, as compressors do.
 * @throws {PgbkError} when it cannot be started: `programs-missing` if it is not there.
 */
export async function startFilter(
  file: string,
  args: string[],
  options: ProgramPlace & { signal: AbortSignal },
): Promise<FilterProgram> {
  const { signal } = options
  const { execa } = await import('execa')
  const child = execa(file, args, {
    ...startOptions(options),
    buffer: { stdout: false, stderr: true },
    cancelSignal: signal,
    stdin: 'pipe',
  })
  if (child.pid === undefined) throw cannotStart(file, await child)
  return {
    input: child.stdin,
    output: child.stdout,
    succeeded: async () => {
      const { exitCode, signal: endedBy, stderr } = await child
      signal.throwIfAborted()
      if (exitCode !== 0)
        throw new PgbkError('failed', `${file} failed: ${stderr.trim() || endedBy || exitCode}`)
    },
  }
}
