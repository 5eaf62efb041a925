import { accessSync, constants, readFileSync } from 'node:fs'
import { recordOf } from '../catalog/backup.js'
import type { Settings } from '../config/load.js'
import { isPort } from '../config/schema.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { wasCutOff } from '../postgres/local/session-failures.js'
import { connectUsersSql } from '../postgres/local/sql-client.js'
import { type OpenedBackup, type OpenOptions, type OpenRules, openBackup } from '../recovery/open-backup.js'
import { readAgain } from '../recovery/read-again.js'
import { localPath } from '../system/paths/source-place.js'
import { runForeground } from '../system/program/run-foreground.js'
import { commandVariables } from './command-variables.js'
import { endRun } from './directory/end-run.js'
import { writeRunMarker } from './directory/run-directory.js'
import { sweepRuns } from './directory/sweep-runs.js'
import type { SandboxMode } from './enclosure/start-enclosed.js'
import { checkStillRuns, endedByItself, hasGone, runSocket } from './identity.js'
import { type RunRequest, settingTexts } from './run-request.js'
import { sayOfDatabase } from './say-of-database.js'
import { type Run, startRun } from './start-run.js'
import type { WorkingCopyKind } from './working-copy/working-copy.js'

export interface LocalRunOptions extends OpenOptions {
  port?: number
  dbname?: string
  /** Settings as `postgres -c`: `name=value`. */
  set?: string[]
  sql?: string
  workingCopy?: WorkingCopyKind | 'auto'
  sandbox?: SandboxMode
  psql?: boolean
  detach?: boolean
  /** Only plan. */
  dryRun?: boolean
}

/** Which backup will be taken to which target. */
export type RunPlan = Pick<OpenedBackup, 'backup' | 'recovery'>

export interface LocalRunResult extends RunPlan {
  run: Run
  detached: boolean
}

/** Who wants to know how it goes. */
export interface RunListener {
  /** Before anything is written. */
  planned(plan: RunPlan): Promise<void>
  /** The server answers, at its recovery target. */
  ready(result: LocalRunResult): Promise<void>
}

/**
 * A throw-away server on a backup: for as long as COMMAND runs, or until it is stopped.
 * @returns COMMAND's exit status, or 0.
 */
export async function localRun(
  id: string | undefined,
  command: string[] | undefined,
  options: LocalRunOptions,
  settings: Settings,
  context: Context,
  listener: RunListener,
): Promise<number> {
  const { progress } = context
  const ownSettings = parseSettings(options.set ?? [])
  const sql = options.sql === undefined ? undefined : readSql(localPath(options.sql, context.cwd))
  const open = (readsAll: boolean) => openBackup(id, options, { ...rules, readsAll }, settings, context)
  const planned = await open(false)
  if (planned.backup.state === 'used') {
    progress.warn(
      `a server was started inside the snapshot of ${planned.backup.id}: the data is what that server has left`,
    )
  }
  await listener.planned(planned)
  if (options.dryRun) {
    await planned.complete
    return 0
  }
  await sweepRuns(settings.root, context)
  const start = async (opened: OpenedBackup) => {
    progress.step(`starting PostgreSQL on backup ${opened.backup.id}`)
    return { ...opened, run: await startRun(requestOf(opened, ownSettings, options, settings), context) }
  }
  const { backup, recovery, programs, run } = await start(planned).catch(async (error) => {
    const opened = await readAgain(error, planned, settings.root, open)
    await listener.planned(opened)
    return start(opened)
  })
  let detached = false
  try {
    await sayOfDatabase(run, recordOf(backup), context)
    if (sql !== undefined) await runSql(sql, options.sql ?? '', run, context)
    context.signal.throwIfAborted()
    await checkStillRuns(run, context)
    // The environment leads it; a database's name as an argument could be taken for a connection string.
    const words = options.psql ? ['psql'] : command
    if (words) return await runCommand(words, run, programs.bin, context)
    detached = options.detach ?? false
    if (detached) detach(run)
    await listener.ready({ backup, recovery, run, detached })
    if (!detached) await untilStopped(run, context)
    return 0
  } finally {
    if (!detached) await stop(run, context)
  }
}

const rules: OpenRules = {
  fallback: { kind: 'snapshot' },
  zoneNeeded: false,
  mayBeOpened: true,
  mayMakeTablespaces: false,
  comparesMeanwhile: true,
}

function requestOf(
  opened: OpenedBackup,
  ownSettings: Record<string, string>,
  options: LocalRunOptions,
  { root, run }: Settings,
): RunRequest {
  return {
    ...opened,
    root,
    workingCopy: options.workingCopy ?? run.working_copy,
    sandbox: options.sandbox ?? run.sandbox,
    hasPort: true,
    settings: { ...settingTexts(run.settings), ...ownSettings },
    port: options.port,
    database: options.dbname,
  }
}

/** Waits for Ctrl-C, which is how a run is meant to end, or for another end. */
async function untilStopped(run: Run, { signal }: Context): Promise<void> {
  while (!signal.aborted) {
    if (run.server.hasEnded()) throw endedByItself(run)
    await new Promise((wake) => setTimeout(wake, 100))
  }
  if ((signal.reason as PgbkError).code !== 'interrupted') signal.throwIfAborted()
}

async function runCommand(words: string[], run: Run, bin: string, context: Context): Promise<number> {
  const [file = '', ...args] = words
  const variables = commandVariables(run)
  const cwd = enterable(context)
  context.progress.end()
  const { env, signal, urgent, umask } = context
  const status = await runForeground(file, args, {
    kind: 'command',
    env,
    variables,
    programs: bin,
    cwd,
    signal,
    urgent,
    umask,
  })
  if (await hasGone(run, context)) throw endedByItself(run)
  return status
}

/** Root's home directory is closed to the user whom root has become. */
function enterable({ cwd, user, progress }: Context): string {
  try {
    accessSync(cwd, constants.X_OK)
    return cwd
  } catch {
    progress.say(`user ${user().name}, as whom COMMAND runs, cannot enter ${cwd}: it starts in /`)
    return '/'
  }
}

async function stop(run: Run, context: Context): Promise<void> {
  await run.server.stop(context)
  await endRun(run.directory, context)
}

function detach(run: Run): void {
  run.directory.marker.detached = true
  writeRunMarker(run.directory)
  run.server.detach()
}

function readSql(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new PgbkError('usage', `cannot read the SQL to run: ${messageOf(cause)}`, { cause })
  }
}

/** Ended by Ctrl-C too, together with the connection. */
async function runSql(statements: string, file: string, run: Run, context: Context): Promise<void> {
  const { signal } = context
  await checkStillRuns(run, context)
  const client = await connectUsersSql({ ...runSocket(run), user: run.role, database: run.database, signal })
  try {
    await client?.run(statements)
  } catch (error) {
    signal.throwIfAborted()
    if (wasCutOff(error) && (await hasGone(run, context))) throw endedByItself(run)
    throw new PgbkError('failed', `${file}: ${messageOf(error)}`, { cause: error })
  } finally {
    await client?.end()
  }
}

/** @throws {PgbkError} `usage` for a setting that is not `name=value`, and for one that has an option of its own. */
function parseSettings(settings: string[]): Record<string, string> {
  return Object.fromEntries(
    settings.map((setting) => {
      const [, name = '', value = ''] = /^([A-Za-z_][\w.]*)=(.*)$/s.exec(setting) ?? []
      if (name === '')
        throw new PgbkError('usage', `${JSON.stringify(setting)} is not a setting`, {
          hint: 'Write it as -c name=value.',
        })
      if (isPort(name))
        throw new PgbkError('usage', 'the port is not a setting of a run', { hint: 'Use --port PORT.' })
      return [name, value]
    }),
  )
}
