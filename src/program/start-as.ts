import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { Environment } from '../context.js'
import { cannotStart } from './cannot-start.js'
import { withSearchPath } from './search-path.js'

export interface ProgramOfAnother {
  /** Its standard input. */
  input: Writable
  /** The first line that it writes to descriptor 3; undefined when it ends before. */
  firstLine(): Promise<string | undefined>
  /** Its exit status, or 1 when a signal has ended it. */
  ended: Promise<number>
}

/**
 * Starts a program as another user, which only root can: with that user's ids alone, and output to where this process has it.
 * @throws {PgbkError} when it cannot be started.
 */
export async function startAs(
  { uid, gid }: { uid: number; gid: number },
  file: string,
  args: string[],
  env: Environment,
): Promise<ProgramOfAnother> {
  const { execa } = await import('execa')
  const child = execa(file, args, {
    uid,
    gid,
    cwd: '/',
    env: withSearchPath(env),
    extendEnv: false,
    reject: false,
    buffer: false,
    cleanup: false,
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
    ended: child.then(({ exitCode }) => exitCode ?? 1),
  }
}
