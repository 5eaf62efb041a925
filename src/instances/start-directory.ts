import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.js'
import { checkReached, readRecoveryEnd } from '../postgres/recovery-end.js'
import { readPostmaster } from '../postgres/running.js'
import { acceptsWrites, checkAlive, startServer, stopServer } from './instance-server.js'
import type { DirectoryRequest } from './plan-directory.js'
import { endRecovery } from './production-directory.js'

/** The log of the first start: what the server's own configuration says of its log counts only after that. */
export function firstLog(data: string): string {
  return join(data, 'pgbk-restore.log')
}

/**
 * Starts the server in a restored data directory, with its own configuration, and waits until its recovery is over. Nobody
 * may be able to log in without a password, so only its files are looked at.
 * @returns its port.
 * @throws {PgbkError} `failed` with the end of its log, `damaged` when it has not reached what it should.
 */
export async function startDirectory(
  { data, owner, recovery }: DirectoryRequest,
  postgres: string,
  context: Context,
): Promise<number> {
  const log = firstLog(data)
  context.progress.step('starting the server')
  try {
    const server = await startServer({ postgres, configuration: data, cwd: data, data, log, owner }, context)
    for (;;) {
      context.signal.throwIfAborted()
      checkAlive(server, log)
      const postmaster = readPostmaster(data)
      if (postmaster && acceptsWrites(data)) {
        if (recovery.recovery) {
          checkReached(recovery, readRecoveryEnd(join(data, 'pg_wal')).lsn, undefined)
          await endRecovery(data, owner)
        }
        return postmaster.port
      }
      await sleep(50)
    }
  } catch (error) {
    context.progress.step('stopping the server')
    await stopServer(data, context.urgent)
    context.progress.say(`${data} is restored, and stays; it can be started later.`)
    throw error
  }
}
