import type { Readable } from 'node:stream'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { programEnvironment } from '../postgres/connection.js'
import { type StreamEnd, streamProgram } from '../program/stream-program.js'
import { shellWord } from '../shell-word.js'

/** A shell where a source is: sh here, or sh on another host. */
export interface Shell {
  /** What its commands are run on, for messages: `db1`, or nothing for this machine. */
  readonly host: string | undefined
  /**
   * Runs a script of sh, and reads its output while it comes.
   * @throws {PgbkError} `unreachable` when the host cannot be reached, or is lost.
   */
  run<T>(
    script: string,
    input: Uint8Array | undefined,
    read: (output: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<StreamEnd<T>>
}

/** Scripts are one line, without `!` and without a backslash before a quote: a login shell of any kind may have to pass them on. */
export function localShell({ env, signal }: Context): Shell {
  return {
    host: undefined,
    run: (script, input, read) =>
      streamProgram(
        'sh',
        ['-c', script],
        { env: programEnvironment(env), signal, ...(input && { input }) },
        read,
      ),
  }
}

const ready = 'pgbk-is-ready'

/** By the user's own ssh, with the user's own configuration; it may ask for a host key or a passphrase at the terminal. */
export function sshShell(host: string, context: Context): Shell {
  const { signal, env, progress } = context
  let isKnown = false
  return {
    host,
    run: async (script, input, read) => {
      if (!isKnown) progress.step(`connecting to ${host}`)
      isKnown = true
      // The terminal is ssh's until it is connected.
      progress.end()
      const command = `exec sh -c ${shellWord(`echo ${ready}; ${script}`)}`
      const options = { env, signal, ...(input && { input }) }
      let isConnected = false
      const end = await streamProgram('ssh', ['-T', '--', host, command], options, async (output) => {
        const answer = await skipGreeting(output)
        isConnected = answer !== undefined
        return answer && read(answer)
      })
      const { status, outcome } = end
      if (status === 255 || (!isConnected && outcome.status === 'fulfilled')) {
        throw connectionLost(host, end, isConnected, context)
      }
      // biome-ignore lint/suspicious/noExplicitAny: undefined only where the connection failed
      return end as any
    },
  }
}

const longestGreeting = 1 << 20

/** What the other side's start-up files print comes first, and is nobody's output. Undefined when the script never began. */
async function skipGreeting(output: Readable): Promise<AsyncIterable<Buffer> | undefined> {
  const chunks = output[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let before = Buffer.alloc(0)
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    before = Buffer.concat([before, next.value])
    const at = before.indexOf(`${ready}\n`)
    if (at !== -1) return startingWith(before.subarray(at + ready.length + 1), chunks)
    if (before.length > longestGreeting) break
  }
  return undefined
}

async function* startingWith(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first
  yield* { [Symbol.asyncIterator]: () => rest }
}

function connectionLost(
  host: string,
  { stderr, status, endedBy }: StreamEnd<unknown>,
  wasConnected: boolean,
  context: Context,
): PgbkError {
  const words = stderr.trim().split(/\r?\n/).filter(Boolean).slice(-3).join('; ')
  const reason = words || (endedBy ? `ssh was ended by ${endedBy}` : `ssh ended with status ${status}`)
  if (wasConnected)
    return new PgbkError('unreachable', `the connection to ${host} was lost: ${reason}`, {
      hint: 'Try again: what is here already will not travel a second time.',
    })
  const unknownHost = /host key verification failed/i.test(stderr)
  const byHand = `ssh ${shellWord(host)} true`
  return new PgbkError('unreachable', `cannot reach ${host} by ssh: ${reason}`, {
    hint: unknownHost
      ? `Compare the host's key once, by hand, as user ${context.user().name}:  ${byHand}`
      : `This must work first, as user ${context.user().name}:  ${byHand}`,
  })
}
