import type { Readable } from 'node:stream'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { type StreamEnd, streamProgram } from '../../system/program/stream-program.js'
import { within } from '../../system/program/within.js'
import { shellWord } from '../../text/shell-word.js'

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
    input: Uint8Array | Readable | undefined,
    read: (output: Readable) => Promise<T>,
  ): Promise<StreamEnd<T>>
}

/** Scripts are one line, without `!` and without a backslash before a quote: a login shell of any kind may have to pass them on. */
export function localShell({ env, signal }: Context): Shell {
  return {
    host: undefined,
    run: (script, input, read) =>
      streamProgram('sh', ['-c', script], { env, signal, ...(input && { input }) }, read),
  }
}

const ready = 'pgbk-is-ready'

/** A connection over which nothing comes any more ends (ssh_config(5)): after a minute. */
const keepAlive = ['-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=4']

/** In ticks: how long a host may take until it runs a script. */
const mostOfConnecting = 60

/**
 * By the user's own ssh, with the user's own configuration; it may ask for a host key or a passphrase at the terminal. Where there is none,
 * nobody is waited for without end.
 */
export function sshShell(host: string, context: Context, sshOptions: string[] = []): Shell {
  const { signal, env, progress } = context
  const mayAsk = context.ask !== undefined
  const patienceMs = mostOfConnecting * context.tickMs
  let isKnown = false
  return {
    host,
    run: async (script, input, read) => {
      if (!isKnown) progress.step(`connecting to ${host}`)
      isKnown = true
      // The terminal is ssh's until it is connected.
      progress.end()
      const command = `exec sh -c ${shellWord(`echo ${ready}; ${script}`)}`
      const options = { kind: 'own', env, signal, ...(input && { input }) } as const
      let isConnected = false
      const end = await streamProgram(
        'ssh',
        ['-T', ...keepAlive, ...sshOptions, '--', host, command],
        options,
        async (output) => {
          const greeting = skipGreeting(output)
          const late = () => silent(host, context)
          isConnected = await (mayAsk ? greeting : within(patienceMs, greeting, late))
          return isConnected ? { answer: await read(output) } : undefined
        },
      )
      const { status, outcome } = end
      if (status === 255) throw isConnected ? connectionLost(host, end) : noConnection(host, end, context)
      if (outcome.status === 'rejected') return { ...end, outcome }
      if (outcome.value === undefined) throw noConnection(host, end, context)
      return { ...end, outcome: { ...outcome, value: outcome.value.answer } }
    },
  }
}

const longestGreeting = 1 << 20

/** What the other side's start-up files print comes first, and is nobody's output. False when the script never began. */
function skipGreeting(output: Readable): Promise<boolean> {
  let before: Buffer = Buffer.alloc(0)
  return new Promise((resolve, reject) => {
    const settle = (isReady: boolean) => {
      output.pause().off('data', onData).off('close', onEnd).off('error', reject)
      resolve(isReady)
    }
    const onEnd = () => settle(false)
    const onData = (chunk: Buffer) => {
      before = Buffer.concat([before, chunk])
      const at = before.indexOf(`${ready}\n`)
      if (at === -1) return before.length > longestGreeting ? onEnd() : undefined
      settle(true)
      output.unshift(before.subarray(at + ready.length + 1))
    }
    output.on('data', onData).on('close', onEnd).on('error', reject)
  })
}

function connectionLost(host: string, end: StreamEnd<unknown>): PgbkError {
  return new PgbkError('unreachable', `the connection to ${host} was lost: ${reasonOf(end)}`, {
    hint: 'Try again: what has arrived is not transferred a second time.',
  })
}

function noConnection(host: string, end: StreamEnd<unknown>, context: Context): PgbkError {
  const unknownHost = /host key verification failed/i.test(end.stderr)
  return new PgbkError('unreachable', `cannot reach ${host} by ssh: ${reasonOf(end)}`, {
    hint: unknownHost
      ? `Compare the host's key once, by hand, ${byHand(host, context)}`
      : `This must work first, ${byHand(host, context)}`,
  })
}

function silent(host: string, context: Context): PgbkError {
  const seconds = Math.round((mostOfConnecting * context.tickMs) / 1000)
  return new PgbkError('unreachable', `cannot reach ${host} by ssh: it has not answered for ${seconds} s`, {
    hint: `This must work first, without a question, ${byHand(host, context)}`,
  })
}

function byHand(host: string, { user }: Context): string {
  return `as user ${user().name}:  ssh ${shellWord(host)} true`
}

function reasonOf({ stderr, status, endedBy }: StreamEnd<unknown>): string {
  const words = stderr.trim().split(/\r?\n/).filter(Boolean).slice(-3).join('; ')
  return words || (endedBy ? `ssh was ended by ${endedBy}` : `ssh ended with status ${status}`)
}
