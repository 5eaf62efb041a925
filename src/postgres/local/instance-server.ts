import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../../context.js'
import { signalProcess } from '../../system/process/process-table.js'
import { type DetachedProgram, startDetached } from '../../system/program/start-program.js'
import { isInProduction } from './control-file.js'
import { readPostmaster, runningServer } from './running.js'
import { serverFailure, watchForCrashes } from './server-log.js'
import { withoutRights } from './server-process.js'

export interface ServerStart {
  postgres: string
  /** What stands after `postgres -D`. */
  configuration: string
  cwd: string
  data: string
  log: string
}

/**
 * Starts a server that goes on without this process; one that crashes and starts over counts as ended. The log is opened with its
 * user's rights, who may have put a link there.
 * @throws {PgbkError} `failed` with the end of its log when it does not come up.
 */
export async function startServer(start: ServerStart, context: Context): Promise<DetachedProgram> {
  const command = [start.postgres, '-D', start.configuration]
  const [file = '', ...args] = [
    ...withoutRights(false),
    'sh',
    '-c',
    'exec "$@" >>"$0" 2>&1',
    start.log,
    ...command,
  ]
  const hasCrashed = watchForCrashes(start.log)
  const program = await startDetached(file, args, { kind: 'server', env: context.env, cwd: start.cwd })
  const server = { ...program, hasEnded: () => program.hasEnded() || hasCrashed() }
  while (readPostmaster(start.data)?.pid !== server.pid) {
    checkAlive(server, start.log)
    await sleep(10)
  }
  return server
}

/** Whether a server takes queries; it may still replay. */
export function takesQueries(data: string): boolean {
  return readPostmaster(data)?.status === 'ready'
}

/**
 * Whether a server runs and its recovery is over. PostgreSQL removes recovery.signal a moment before that, and is `ready` for
 * queries while it replays.
 */
export function acceptsWrites(data: string): boolean {
  return takesQueries(data) && !existsSync(join(data, 'recovery.signal')) && isInProduction(data)
}

/** @throws {PgbkError} `failed` with the end of the log when the server has ended. */
export function checkAlive(server: DetachedProgram, log: string): void {
  if (server.hasEnded()) throw serverFailure(`the server did not start (log: ${log})`, log, server.pid)
}

/** Fast shutdown; waits until it is done, however long its last checkpoint takes. */
export async function stopServer(data: string, signal: AbortSignal): Promise<void> {
  const pid = runningServer(data)
  if (pid === undefined || !signalProcess(pid, 'SIGINT')) return
  while (runningServer(data) === pid) {
    signal.throwIfAborted()
    await sleep(20)
  }
}
