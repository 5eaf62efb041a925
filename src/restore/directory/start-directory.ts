import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { recordOf } from '../../catalog/backup.js'
import { majorOf } from '../../catalog/record.js'
import { largestDatabase } from '../../catalog/recorded-database.js'
import type { Context } from '../../context.js'
import {
  acceptsWrites,
  checkAlive,
  startServer,
  stopServer,
  takesQueries,
} from '../../postgres/local/instance-server.js'
import { readPostmaster } from '../../postgres/local/running.js'
import { databasesToAsk } from '../../postgres/local/sql-client.js'
import type { RecoveryResult } from '../../recovery/await-recovery.js'
import type { DetachedProgram } from '../../system/program/start-program.js'
import { shellWord } from '../../text/shell-word.js'
import { awaitReplay } from '../copy/await-replay.js'
import type { DirectoryRequest } from './plan-directory.js'
import { endRecovery } from './production-directory.js'

/** The log of the first start: what the server's own configuration says of its log counts only after that. */
function firstLog(data: string): string {
  return join(data, 'pgbk-restore.log')
}

/** A server of somebody's own that answers. */
export interface StartedDirectory {
  port: number
  /** How to get in, by its own rules; the host is the directory of its socket, if it has one. */
  login: { host: string; role: string; database: string }
  /** Undefined where the snapshot's own WAL was all there was to replay. */
  recoveryResult: RecoveryResult | undefined
}

/**
 * Starts the server in a restored data directory, with its own configuration, and waits until its recovery is over. It is asked how
 * far it is; it may let nobody in without a password, and then its files tell when it is over.
 * @throws {PgbkError} `failed` with the end of its log, `damaged` when it has not reached what it should.
 */
export async function startDirectory(
  request: DirectoryRequest,
  postgres: string,
  context: Context,
): Promise<StartedDirectory> {
  const { data, recovery, backup } = request
  const log = firstLog(data)
  context.progress.step('starting the server')
  try {
    const server = await startServer({ postgres, configuration: data, cwd: data, data, log }, context)
    const isUp = () => acceptsWrites(data) || (recovery.recovery && takesQueries(data))
    while (!isUp()) {
      context.signal.throwIfAborted()
      checkAlive(server, log)
      await sleep(20)
    }
    const { port = 0, socketDirectory = '' } = readPostmaster(data) ?? {}
    const sockets = socketDirectory && resolve(data, socketDirectory)
    const record = recordOf(backup)
    const login = {
      host: sockets || 'localhost',
      role: record.superuser,
      database: largestDatabase(record),
    }
    const recoveryResult = recovery.recovery && (await replay(request, server, { ...login, port }, context))
    return { port, login, recoveryResult }
  } catch (error) {
    context.progress.step('stopping the server')
    await stopServer(data, context.urgent)
    context.progress.say(
      `${data} is restored, and is kept. When the problem that its log names is fixed, start it:\n  ${shellWord(postgres)} -D ${shellWord(data)}`,
    )
    throw error
  }
}

async function replay(
  { data, recovery, backup }: DirectoryRequest,
  { hasEnded }: DetachedProgram,
  { host, port, role, database }: StartedDirectory['login'] & { port: number },
  context: Context,
): Promise<RecoveryResult> {
  const major = majorOf(recordOf(backup))
  const sql = { host, port, user: role, databases: databasesToAsk([database]), major, signal: context.signal }
  const recoveryResult = await awaitReplay(data, { log: firstLog(data), sql, hasEnded }, recovery, context)
  await endRecovery(data)
  return recoveryResult
}
