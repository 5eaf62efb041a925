import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Settings, Task } from '../../config/load.js'
import { type Context, withEnds } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { checkJson, v } from '../../schema.js'
import { startProgram } from '../../system/program/start-program.js'
import { keepSendingWal } from './keep-sending-wal.js'

/** What sends WAL beside a receiver, which never waits for it. */
export interface WalSender {
  stop(): Promise<void>
}

/** How long one that has been told to end is waited for. */
const mostEndMs = 5000
const ticksToNext = 15

/**
 * Starts what sends the WAL of a root to its stores, as a process of its own: a mount that hangs stops whoever touches it, and no signal
 * reaches that. It ends with this process, whatever becomes of that.
 */
export function startWalSender(task: Task): WalSender {
  const { context } = task
  const stopped = new AbortController()
  const signal = AbortSignal.any([context.signal, stopped.signal])
  const working = keepRunning(task, signal)
  return {
    async stop() {
      stopped.abort()
      await working
    },
  }
}

/** One that has ended by itself is started again. */
async function keepRunning({ settings, context }: Task, signal: AbortSignal): Promise<void> {
  const { env, self, progress, tickMs } = context
  const [file = '', ...first] = self
  const args = [...first, ...wordsFor(settings)]
  while (!signal.aborted) {
    try {
      await runOnce(file, args, { env, signal })
      if (!signal.aborted) progress.warn('what sends WAL to the stores has ended, and is started again')
    } catch (error) {
      progress.warn(`WAL is not sent to the stores, trying again: ${messageOf(error)}`)
    }
    await sleep(ticksToNext * tickMs, undefined, { signal }).catch(() => {}) // stopped
  }
}

async function runOnce(
  file: string,
  args: string[],
  { env, signal }: Pick<Context, 'env' | 'signal'>,
): Promise<void> {
  const { child } = await startProgram(
    file,
    args,
    { kind: 'own', env },
    { stdio: ['pipe', 'ignore', 'inherit'], detached: true, cleanup: false },
  )
  const { stdin } = child
  stdin.on('error', () => {}) // it has ended
  const over = new AbortController()
  const stopped = signal.aborted || once(signal, 'abort', { signal: over.signal }).catch(() => {}) // it has ended
  await Promise.race([child, stopped])
  over.abort()
  stdin.end()
  await Promise.race([child, sleep(mostEndMs, undefined, { ref: false })])
  child.unref()
  stdin.destroy()
}

/** Of the configuration it gets what it needs: the file may be one that only root reads, whom a receiver has given up. */
function wordsFor({ root, stores }: Settings): string[] {
  return ['wal', 'receive', '--config', '/dev/null', '-C', root, '--sends', JSON.stringify(stores)]
}

const storesSchema: v.GenericSchema<unknown, Settings['stores']> = v.record(v.string(), v.any())

/** Does the work of that process, until its input ends. @param said its stores. @throws {PgbkError} `usage` for what no pgbk has said. */
export async function sendWalUntilInputEnds(said: string, { settings, context }: Task): Promise<void> {
  const { value: stores, faults } = checkJson(storesSchema, said)
  if (faults) throw new PgbkError('usage', `--sends is for pgbk itself: ${faults.slice(0, 3).join('; ')}`)
  const ended = new AbortController()
  const { stdin } = context
  for (const event of ['end', 'close', 'error']) stdin.once(event, () => ended.abort())
  stdin.resume()
  const signal = AbortSignal.any([context.signal, ended.signal])
  await withEnds({ ...context, signal }, (own) =>
    keepSendingWal({ settings: { ...settings, stores }, context: own }),
  )
}
