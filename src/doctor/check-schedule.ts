import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Catalog } from '../backup/catalog.js'
import { readLastCreate } from '../backup/last-create.js'
import { type RootLayout, rootLayout } from '../backup/layout.js'
import type { Context, PrintedCommand } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { findProcesses, hasProc } from '../processes.js'
import { programsIn } from '../schedule/command.js'
import { readCrontab } from '../schedule/crontab.js'
import { type CrontabEntry, entriesIn } from '../schedule/entry.js'
import { formatTime } from '../units.js'
import { type Check, ok, warning } from './check.js'

/** What crontabs say about a root; or why they could not be read. */
export interface FoundSchedule {
  entry: CrontabEntry | undefined
  problem: string | undefined
}

/** Looks into the crontab of whoever this process is now. */
export async function findSchedule(root: string, context: Context): Promise<FoundSchedule> {
  try {
    const entry = entriesIn(await readCrontab(context)).find((one) => one.root === root)
    return { entry, problem: undefined }
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    return { entry: undefined, problem: messageOf(error) }
  }
}

const day = 86_400_000

/** Whether somebody makes backups without being told to, and whether that works. */
export function checkSchedule(
  found: FoundSchedule,
  { root, backups }: Catalog,
  { now, pgbk }: Context,
): Check[] {
  const { entry, problem } = found
  if (entry) return [checkEntry(entry, rootLayout(root), pgbk), ...checkDaemon()]
  const scheduled = backups.find(({ summary }) => summary.kind === 'scheduled')
  const isRecent = scheduled && now().getTime() - Date.parse(scheduled.summary.started_at) < 8 * day
  if (isRecent) return [ok('schedule', `none in this crontab, but ${scheduled.id} was made by one`)]
  const remedy = `Write one:\n  ${pgbk('schedule --daily 03:00')}`
  const why = problem === undefined ? 'no backups are made by themselves' : `none is known: ${problem}`
  return [warning('schedule', why, remedy)]
}

function checkEntry({ line, when }: CrontabEntry, layout: RootLayout, pgbk: PrintedCommand): Check {
  const missing = programsIn(line).find((program) => !existsSync(program))
  if (missing !== undefined) {
    return warning(
      'schedule',
      `the line in the crontab calls ${missing}, which is not there`,
      `Write it again, with the same times:\n  ${pgbk('schedule --daily HH:MM')}`,
    )
  }
  const last = readLastCreate(layout)
  const ran = last?.scheduled ? `; it ran last at ${formatTime(last.finished_at)}` : '; it has not run yet'
  if (last?.scheduled && last.error)
    return warning('schedule', `${when} in the crontab${ran}, and failed: ${last.error.message}`)
  return ok('schedule', `${when} in the crontab${ran}`)
}

const daemons = ['cron', 'crond', 'fcron', 'dcron', 'busybox']

/** Not to be seen in every container; where there is no /proc nothing is said. */
export function cronDaemonProblem(): string | undefined {
  const isThere = findProcesses(([program = '']) => daemons.includes(basename(program))).length > 0
  return isThere || !hasProc() ? undefined : 'no cron daemon is running here: nothing will call the line'
}

function checkDaemon(): Check[] {
  const problem = cronDaemonProblem()
  return problem === undefined ? [] : [warning('cron', problem, 'As root:\n  service cron start')]
}
