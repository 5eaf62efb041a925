import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../../context.js'
import { checkAlive, startServer, stopServer, takesQueries } from '../../postgres/local/instance-server.js'
import { databasesToAsk } from '../../postgres/local/sql-client.js'
import type { RecoveryResult } from '../../recovery/await-recovery.js'
import type { RecoveryPlan } from '../../recovery/recovery-plan.js'
import { awaitReplay } from '../copy/await-replay.js'
import type { Instance } from './instance.js'

/**
 * Starts an instance and waits until it takes what comes, its recovery done. When it fails, or is interrupted, the server is
 * stopped; what it has replayed stays.
 * @param postgres the path of the server program.
 * @param plan what its recovery, if one is still to come, has to reach, where that is known.
 * @returns what the recovery has reached; undefined when there was none.
 * @throws {PgbkError} `failed` with the end of its log, `damaged` when it has not reached what it should.
 */
export async function startInstanceServer(
  instance: Instance,
  postgres: string,
  plan: RecoveryPlan | undefined,
  context: Context,
): Promise<RecoveryResult | undefined> {
  const { layout, port, record, sockets } = instance
  // A pgbk that was killed meanwhile has not removed it; a target that is left would end the recovery of a standby.
  if (instance.state !== 'not recovered') await rm(layout.recoveryConf, { force: true })
  const server = await startServer(
    {
      postgres,
      configuration: 'conf',
      cwd: layout.directory,
      data: layout.data,
      log: layout.log,
    },
    context,
  )
  try {
    if (instance.state !== 'not recovered') {
      await untilReady(layout.data, () => checkAlive(server, layout.log), context.signal)
      return undefined
    }
    const databases = databasesToAsk([record.database])
    const isPrivate = sockets === layout.sockets
    const sql = {
      host: sockets,
      port,
      isPrivate,
      user: record.role,
      databases,
      major: record.major,
      signal: context.signal,
    }
    const recoveryResult = await awaitReplay(
      layout.data,
      { log: layout.log, sql, hasEnded: server.hasEnded },
      plan,
      context,
    )
    await rm(layout.recoveryConf, { force: true })
    return recoveryResult
  } catch (error) {
    context.progress.step(`stopping ${instance.name}`)
    await stopServer(layout.data, context.urgent)
    throw error
  }
}

async function untilReady(data: string, check: () => void, signal: AbortSignal): Promise<void> {
  while (!takesQueries(data)) {
    signal.throwIfAborted()
    check()
    await sleep(20)
  }
}
