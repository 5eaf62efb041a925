import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.js'
import { awaitRecovery, type ReplayRange } from '../postgres/await-recovery.js'
import { checkReached, readRecoveryEnd } from '../postgres/recovery-end.js'
import { readPostmaster } from '../postgres/running.js'
import { socketDirectory } from '../postgres/sockets.js'
import type { Instance } from './instance.js'
import { acceptsWrites, checkAlive, startServer, stopServer } from './instance-server.js'

/** What a recovery that is still to come has to reach. */
export interface AwaitedRecovery {
  range: ReplayRange
  /** The LSN that must have been replayed. */
  reachLsn: string | undefined
}

/**
 * Starts an instance and waits until it takes what comes, its recovery done. When it fails, or is interrupted, the server is
 * stopped; what it has replayed stays.
 * @param postgres the path of the server program.
 * @returns the time of the last commit that was replayed, ISO 8601; null when nothing was.
 * @throws {PgbkError} `failed` with the end of its log, `damaged` when it has not reached what it should.
 */
export async function startInstance(
  instance: Instance,
  postgres: string,
  recovery: AwaitedRecovery | undefined,
  context: Context,
): Promise<string | null> {
  const { layout, port, record } = instance
  // A pgbk that was killed meanwhile has not removed it; a target that is left would end the recovery of a standby.
  if (instance.state !== 'not recovered') await rm(layout.recoveryConf, { force: true })
  const server = await startServer(
    {
      postgres,
      configuration: 'conf',
      cwd: layout.directory,
      data: layout.data,
      log: layout.log,
      owner: { uid: instance.uid, gid: instance.gid },
    },
    context,
  )
  try {
    if (instance.state !== 'not recovered') {
      await untilReady(layout.data, () => checkAlive(server, layout.log), context.signal)
      return null
    }
    const sql = { host: socketDirectory, port, user: record.role, database: record.database }
    const awaited = {
      log: layout.log,
      sql,
      hasEnded: server.hasEnded,
      answers: () => readPostmaster(layout.data)?.status === 'ready',
      isOver: () => acceptsWrites(layout.data),
    }
    const commitTime = await awaitRecovery(awaited, recovery?.range, context)
    if (recovery?.reachLsn) checkReached(readRecoveryEnd(join(layout.data, 'pg_wal')), recovery.reachLsn)
    await rm(layout.recoveryConf, { force: true })
    return commitTime
  } catch (error) {
    context.progress.step(`stopping ${instance.name}`)
    await stopServer(layout.data, context.urgent)
    throw error
  }
}

async function untilReady(data: string, check: () => void, signal: AbortSignal): Promise<void> {
  while (readPostmaster(data)?.status !== 'ready') {
    signal.throwIfAborted()
    check()
    await sleep(20)
  }
}
