import { readFileSync, symlinkSync } from 'node:fs'
import type { BorrowedBackup } from '../borrowing/borrow.js'
import { sweepBorrowed } from '../borrowing/borrowed-root.js'
import { recordOf } from '../catalog/backup.js'
import { localPath } from '../catalog/source-place.js'
import type { Settings, Task } from '../config/load.js'
import { isPort } from '../config/schema.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { wasCutOff } from '../postgres/local/session-failures.js'
import { connectUsersSql } from '../postgres/local/sql-client.js'
import { type OpenedBackup, type OpenOptions, type OpenRules, openBackup } from '../recovery/open-backup.js'
import { readAgain } from '../recovery/read-again.js'
import { endRun, sweepRuns } from './directory/end-run.js'
import { writeRunMarker } from './directory/run-directory.js'
import { writtenBytes } from './directory/written-bytes.js'
import type { SandboxMode } from './enclosure/start-enclosed.js'
import { checkStillRuns, endedByItself, hasGone, runSocket } from './identity.js'
import { runCommand } from './run-command.js'
import { type RunRequest, settingTexts } from './run-request.js'
import { sayOfDatabase } from './say-of-database.js'
import { type Run, startRun } from './start-run.js'
import type { WorkingCopyKind } from './working-copy/working-copy.js'

export interface LocalRunOptions extends OpenOptions {
  /** A place elsewhere that has the backup. */
  from?: string | true
  /** Bring the whole backup here first. */
  download?: boolean
  /** COMMAND, and its arguments. */
  command?: string[] | undefined
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
  /** How much was fetched of a backup that is elsewhere. */
  fetched: number | undefined
  /** See `writtenBytes`. */
  written: number | undefined
  detached: boolean
}

/** Who wants to know how it goes. */
interface RunListener {
  /** Before anything is written. */
  planned(plan: RunPlan): Promise<void>
  /** The server answers, at its recovery target. */
  ready(result: LocalRunResult): Promise<void>
}

/**
 * A throw-away server on a backup, of the root or of a place elsewhere: for as long as COMMAND runs, or until it is stopped.
 * @returns COMMAND's exit status, or 0.
 */
export async function localRun(
  id: string | undefined,
  options: LocalRunOptions,
  task: Task,
  listener: RunListener,
): Promise<number> {
  if (options.from === undefined) return runOn(id, options, task, listener)
  const { borrow } = await import('../borrowing/borrow.js')
  await sweepRuns(task.settings.root, task.context)
  const borrowed = await borrow(id, options, rules, task)
  try {
    return await runOn(borrowed.id, options, borrowed.task, listener, borrowed)
  } catch (error) {
    throw borrowed.explained(error)
  }
}

/** @param borrowed what the backup belongs to where it is elsewhere. */
async function runOn(
  id: string | undefined,
  options: LocalRunOptions,
  task: Task,
  listener: RunListener,
  borrowed?: BorrowedBackup,
): Promise<number> {
  const { settings, context } = task
  const { progress } = context
  const ownSettings = parseSettings(options.set ?? [])
  const sql = options.sql === undefined ? undefined : readSql(localPath(options.sql, context.cwd))
  const ownRules = { ...rules, catalog: borrowed?.catalog }
  const planned = await openBackup(id, options, ownRules, task)
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
  if (!borrowed) await sweepBorrowed(context)
  const start = async (opened: OpenedBackup) => {
    progress.step(`starting PostgreSQL on backup ${opened.backup.id}`)
    return { ...opened, run: await startRun(requestOf(opened, ownSettings, options, settings), context) }
  }
  const { backup, recovery, programs, run } = await start(planned).catch(async (error) => {
    const readAll = () => openBackup(id, options, { ...ownRules, readsAll: true }, task)
    const opened = await readAgain(error, planned, settings.root, readAll)
    await listener.planned(opened)
    return start(opened)
  })
  let detached = false
  try {
    if (borrowed) symlinkSync(borrowed.root.layout.root, run.directory.layout.borrowed)
    await sayOfDatabase(run, recordOf(backup), context)
    if (sql !== undefined) await runSql(sql, options.sql ?? '', run, context)
    context.signal.throwIfAborted()
    await checkStillRuns(run, context)
    // The environment leads it; a database's name as an argument could be taken for a connection string.
    const words = options.psql ? ['psql'] : options.command
    if (words) return await runCommand(words, run, programs.bin, context)
    detached = options.detach ?? false
    if (detached) {
      detach(run)
      borrowed?.root.handOver()
    }
    const written = await writtenBytes(run.directory)
    await listener.ready({ backup, recovery, run, written, fetched: borrowed?.fetched(), detached })
    if (!detached) await untilStopped(run, context)
    return 0
  } finally {
    if (!detached) {
      borrowed?.sayFetched()
      await run.server.stop(context)
      await endRun(run.directory, context)
    }
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
