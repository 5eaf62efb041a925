import type { Environment } from '../../context.js'
import { withSearchPath } from '../paths/search-path.js'
import { cannotStart } from './cannot-start.js'

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
  options: { env: Environment; cwd: string },
): Promise<DetachedProgram> {
  const { execa } = await import('execa')
  const child = execa(file, args, {
    ...options,
    env: withSearchPath(options.env),
    extendEnv: false,
    reject: false,
    stdio: 'ignore',
    detached: true,
    cleanup: false,
  })
  const { pid } = child
  if (pid === undefined) throw cannotStart(file, await child)
  child.unref()
  return { pid, hasEnded: () => child.exitCode !== null || child.signalCode !== null }
}
