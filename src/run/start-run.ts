import { recordOf } from '../catalog/backup.js'
import { majorOf } from '../catalog/record.js'
import { canBeOpened, isSayable } from '../catalog/recorded-database.js'
import { checkStillThere } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { choosePort, isFree } from '../postgres/local/port.js'
import { watchForCrashes } from '../postgres/local/server-log.js'
import {
  connectSql,
  connectToAny,
  databasesAtRest,
  databasesToAsk,
  type SqlClient,
} from '../postgres/local/sql-client.js'
import { awaitRecovery, type RecoveringServer, type RecoveryResult } from '../recovery/await-recovery.js'
import { checkRecoveryResult } from '../recovery/recovery-end.js'
import { namingLibrary } from '../start-up/library-needed.js'
import { percentEncoded } from '../text/raw-text.js'
import { endRun } from './directory/end-run.js'
import { type OwnRunDirectory, writeRunMarker } from './directory/run-directory.js'
import type { Enclosure } from './enclosure/namespaces.js'
import { sayGap } from './enclosure/start-enclosed.js'
import { type SupervisedServer, toldByLog, waitUntilReady } from './enclosure/supervisor.js'
import { endedByAnother } from './ended-by-another.js'
import { checkIsRun, runSocket } from './identity.js'
import { type LaunchedServer, launchServer } from './launch-server.js'
import { chooseDatabase, cutOffPublishers, givePassword, makeReadOnly } from './own-copy.js'
import type { RunRequest } from './run-request.js'
import { fileServerFailure } from './working-copy/file-server-failure.js'
import type { WorkingCopyKind } from './working-copy/working-copy.js'

/** A throw-away server that answers. */
export interface Run {
  name: string
  directory: OwnRunDirectory
  server: SupervisedServer
  kind: WorkingCopyKind
  enclosure: Enclosure
  port: number
  role: string
  database: string
  /** Of PostgreSQL. */
  major: number
  /** Undefined while it is read-only. */
  password: string | undefined
  /** For programs that know no sockets; while it has no password, there is only its socket. */
  url: string
  log: string
  /** What its recovery has reached; undefined when it had nothing to replay. */
  recoveryResult: RecoveryResult | undefined
  /** How long that took. */
  replayMs: number | undefined
}

/**
 * Starts a throw-away server on a working copy of a backup, and waits until it answers.
 * @throws {PgbkError} `failed` with the last lines of the server's log when it does not start, `not-found` when the backup was
 * removed; nothing is left then.
 */
export async function startRun(request: RunRequest, context: Context): Promise<Run> {
  for (let attempts = 1; ; attempts++) {
    const port = await choosePort(request.port)
    try {
      return await startOn(port, request, context)
    } catch (error) {
      if (!context.signal.aborted) checkStillThere(request.backup, error)
      if (request.port !== undefined || context.signal.aborted || attempts === 3 || (await isFree(port)))
        throw error
      context.progress.say(`port ${port} was taken while the server started; trying another one`)
    }
  }
}

async function startOn(port: number, request: RunRequest, context: Context): Promise<Run> {
  const launched = await launchServer(request, port, context)
  const { directory, server, kind } = launched
  const hasCrashed = watchForCrashes(directory.layout.log)
  const hasEnded = () => server.hasEnded() || hasCrashed()
  try {
    return await makeReady({ ...launched, hasEnded }, port, request, context)
  } catch (failure) {
    const error = await toldByLog(failure, hasEnded, directory.layout.log)
    const reason = fileServerFailure(directory.layout.log)
    const ended = context.signal.aborted ? undefined : endedByAnother(directory, error)
    await server.stop(context)
    await endRun(directory, context)
    // Why a server does not start with what is not all there.
    if (!context.signal.aborted) await request.complete
    // Once: what the data starts writes into the log too.
    const mayFail = request.workingCopy === 'auto' && kind === 'thin' && !request.failed
    if (reason !== undefined && mayFail && !context.signal.aborted)
      return startOn(port, { ...request, failed: { kind, reason } }, context)
    throw ended ?? namingLibrary(error, recordOf(request.backup))
  }
}

/** Waits until the server has replayed what it has to, and makes it one that a person, or COMMAND, can use. */
async function makeReady(
  {
    directory,
    server,
    kind,
    hasReflinks,
    enclosure,
    gap,
    hasEnded,
  }: LaunchedServer & { hasEnded(): boolean },
  port: number,
  request: RunRequest,
  context: Context,
): Promise<Run> {
  const { layout } = directory
  const { superuser } = recordOf(request.backup)
  const major = majorOf(recordOf(request.backup))
  const socket = { ...runSocket({ directory, port }), user: superuser, major, signal: context.signal }
  const databasesAreKnown = request.recovery.recovery === undefined
  const names = recordOf(request.backup)
    .databases.filter((database) => canBeOpened(database) && isSayable(database))
    .map(({ name }) => name)
  const target = { ...socket, databases: databasesAreKnown ? databasesAtRest(names) : databasesToAsk(names) }
  const connected = async () => {
    const ask = () => connectToAny(target, target.databases)
    const client = await waitUntilReady(hasEnded, layout.log, context.signal, ask)
    await checkIsRun(client, directory)
    return client
  }
  let client = await connected()
  await server.sealed()
  sayGap({ enclosure, gap }, context)
  const before = context.now().getTime()
  const recoveryResult = await recover(request, { log: layout.log, sql: target, hasEnded }, client, context)
  const replayMs = recoveryResult && context.now().getTime() - before
  if (recoveryResult) client = await connected()
  const database = await chooseDatabase(client, recordOf(request.backup), request.database)
  // What is wrong with it is told now, and not to COMMAND.
  if (databasesAreKnown && request.hasPort) await (await connectSql({ ...socket, database }))?.end()
  if (!recoveryResult?.paused) await cutOffPublishers(client)
  const hasPassword = request.hasPort && !recoveryResult?.paused
  const password = hasPassword ? await givePassword(client, superuser, context) : undefined
  if (request.recovery.target.pause && !recoveryResult) await makeReadOnly(client)
  await client.end()
  const host = password === undefined ? directory.sockets : '127.0.0.1'
  const login = [superuser, ...(password === undefined ? [] : [password])].map(encodeURIComponent).join(':')
  const url = `postgresql://${login}@${encodeURIComponent(host)}:${port}/${percentEncoded(database)}`
  directory.marker.server = {
    pid: server.pid,
    port,
    role: superuser,
    database,
    url,
    working_copy: kind,
    reflinks: kind !== 'thin' && hasReflinks,
    sandbox: enclosure,
  }
  writeRunMarker(directory)
  await request.complete
  return {
    name: directory.name,
    directory,
    server,
    kind,
    enclosure,
    port,
    role: superuser,
    database,
    password,
    url,
    major,
    log: layout.log,
    recoveryResult,
    replayMs,
  }
}

/**
 * Where there is something to replay, the session is ended before: replay may drop its database.
 * @throws {PgbkError} `failed` when the server ends before, `damaged` when recovery has ended elsewhere.
 */
async function recover(
  { recovery }: RunRequest,
  server: RecoveringServer,
  client: SqlClient,
  context: Context,
): Promise<RecoveryResult | undefined> {
  if (!recovery.recovery) return undefined
  await client.end()
  const recoveryResult = await awaitRecovery(
    server,
    recovery.range,
    { mayPause: recovery.target.pause ?? false },
    context,
  )
  checkRecoveryResult(recovery, recoveryResult.lsn ?? '0/0', recoveryResult.commitTime)
  return recoveryResult
}
