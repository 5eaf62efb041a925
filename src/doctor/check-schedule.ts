import { existsSync } from 'node:fs'
import type { LocalBackup } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { type LastCreate, readLastCreate } from '../catalog/last-create.js'
import { rootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { programsIn } from '../schedule/command.js'
import { cronDaemonProblem, readCrontab } from '../schedule/crontab.js'
import { type CrontabEntry, entriesIn, scheduleOptions } from '../schedule/entry.js'
import { formatTime } from '../text/format.js'
import { type Check, ok, warning } from './check.js'

/** What crontabs say about a root; or why they could not be read. */
interface FoundSchedule {
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
export function checkSchedule(found: FoundSchedule, catalog: Catalog, context: Context): Check[] {
  const { now, pgbk } = context
  const { entry, problem } = found
  if (entry) return [checkEntry(entry, catalog, context), ...checkDaemon()]
  const scheduled = catalog.backups.find(({ summary }) => summary.kind === 'scheduled')
  const isRecent = scheduled && now().getTime() - Date.parse(scheduled.summary.started_at) < 8 * day
  if (isRecent) return [ok('schedule', `none in this crontab, but ${scheduled.id} was made by one`)]
  const remedy = `Write one:\n  ${pgbk('schedule --daily 03:00')}`
  const why = problem === undefined ? 'no backups are made automatically' : `none is known: ${problem}`
  return [warning('schedule', why, remedy)]
}

function checkEntry(entry: CrontabEntry, { root, backups }: Catalog, { now, pgbk }: Context): Check {
  const { line, when } = entry
  const missing = programsIn(line).find((program) => !existsSync(program))
  if (missing !== undefined) {
    return warning(
      'schedule',
      `the line in the crontab calls ${missing}, which is not there`,
      `Write it again:\n  ${pgbk(`schedule ${scheduleOptions(entry)}`)}`,
    )
  }
  const last = readLastCreate(rootLayout(root))
  const lastRun = lastRunOf(last, backups)
  const ran = lastRun === undefined ? '; it has not run yet' : `; it ran last at ${formatTime(lastRun)}`
  if (last?.scheduled && last.error)
    return warning('schedule', `${when} in the crontab${ran}, and failed: ${last.error.message}`)
  if (lastRun !== undefined && now().getTime() - Date.parse(lastRun) > longestPause(when))
    return warning(
      'schedule',
      `${when} in the crontab${ran}, and should have since`,
      'Is this machine always on at that time? What cron says is in its log:\n  journalctl -u cron -u crond --since -8d\n  grep -i cron /var/log/syslog /var/log/cron',
    )
  return ok('schedule', `${when} in the crontab${ran}`)
}

/** A create by hand takes the place of the last scheduled one in what is remembered of the last, but not its backup's. */
function lastRunOf(last: LastCreate | undefined, backups: LocalBackup[]): string | undefined {
  const made = backups.find(({ summary }) => summary.kind === 'scheduled')?.summary.finished_at
  if (!last?.scheduled) return made
  return made === undefined || made < last.finished_at ? last.finished_at : made
}

/** With two hours for the backup itself, ms. */
function longestPause(when: string): number {
  return (/ \*$/.test(when) ? 1 : 7) * day + 2 * 3_600_000
}

function checkDaemon(): Check[] {
  const problem = cronDaemonProblem()
  return problem === undefined ? [] : [warning('cron', problem, 'As root:\n  service cron start')]
}
