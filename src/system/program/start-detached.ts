import { cannotStart } from './cannot-start.js'
import { type ProgramPlace, startOptions } from './program-environment.js'

export interface DetachedProgram {
  pid: number
  hasEnded(): boolean
}

/**
 * Starts a program that goes on when this process has ended, in a session of its own, with no terminal, input or output.
 * @throws {PgbkError} `programs-missing` when it is not there.
 */
export async function startDetached(
  file: string,
  args: string[],
  place: ProgramPlace,
): Promise<DetachedProgram> {
  const { execa } = await import('execa')
  const child = execa(file, args, {
    ...startOptions(place),
    stdio: 'ignore',
    detached: true,
    cleanup: false,
  })
  const { pid } = child
  if (pid === undefined) throw cannotStart(file, await child)
  child.unref()
  return { pid, hasEnded: () => child.exitCode !== null || child.signalCode !== null }
}
