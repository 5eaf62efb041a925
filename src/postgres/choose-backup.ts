import type { Backup, Catalog } from '../backup/catalog.js'
import { describeMoment, instantOf, type Moment, type RecoveryWish } from '../backup/moment.js'
import { selectBackup } from '../backup/select.js'
import type { CaughtUp } from '../backup/window.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { formatTime } from '../units.js'
import type { Installation } from './find.js'
import { type OutOfReach, planRecovery, type RecoveryPlan } from './recovery-plan.js'
import { isBefore } from './seek-in-wal.js'

export interface ChosenBackup {
  backup: Backup
  plan: RecoveryPlan
}

export interface Choice {
  catalog: Catalog
  /** As the user wrote it; undefined when none was named. */
  id: string | undefined
  wish: RecoveryWish
  installations: Installation[]
  /** Whether a backup will do in whose snapshot a server was started. */
  mayBeUsed: boolean
  /** What a receiver that is at work has received for this backup. */
  caughtUpBy(backup: Backup): CaughtUp | undefined
}

/**
 * The backup that leads to a moment, with the way there: the named one, else the newest whose snapshot ends before it.
 * @throws {PgbkError} `not-found` when there is no such backup, `usage` when none leads to the moment, saying which times can be
 * reached; as `planRecovery` otherwise.
 */
export async function chooseBackup(choice: Choice, context: Context): Promise<ChosenBackup> {
  const { catalog, id, wish } = choice
  const { moment } = wish
  const isOpen = moment.kind !== 'snapshot' && moment.kind !== 'latest'
  const candidates =
    id === undefined && isOpen
      ? catalog.backups.filter((backup) => backup.state === 'whole' && mayLeadTo(backup, moment))
      : [selectBackup(catalog, id ?? 'latest', context.progress.warn)]
  const tried: OutOfReach[] = []
  for (const backup of candidates) {
    if (!choice.mayBeUsed) checkUnused(backup)
    const planned = await plan(backup, choice, context)
    if (planned.plan) return { backup, plan: planned.plan }
    tried.push(planned.outOfReach)
  }
  throw unreachable(moment, tried.length > 0 ? tried : await allOutOfReach(choice, context))
}

function plan(backup: Backup, { wish, installations, caughtUpBy }: Choice, context: Context) {
  return planRecovery(backup, wish, { installations, caughtUp: caughtUpBy(backup) }, context)
}

/** Whether the snapshot ends before the moment, as far as its summary tells. */
function mayLeadTo({ summary }: Backup, moment: Moment): boolean {
  if (moment.kind === 'time') return instantOf(summary.finished_at) <= moment.time
  return moment.kind !== 'lsn' || !isBefore(moment.lsn, summary.stop_lsn)
}

/** @throws {PgbkError} `failed`. */
function checkUnused({ id, state }: Backup): void {
  if (state !== 'used') return
  throw new PgbkError('failed', `backup ${id} is used: a server was started inside its snapshot`, {
    hint: 'The WAL archive does not fit its data any more: it cannot be taken to a moment, nor restored. Choose another backup (pgbk list), or open it as it is with pgbk local-run.',
  })
}

/** No snapshot ends before the moment: the oldest shows from when on moments can be reached. */
async function allOutOfReach(choice: Choice, context: Context): Promise<OutOfReach[]> {
  const oldest = selectBackup(choice.catalog, 'oldest', context.progress.warn)
  const { outOfReach } = await plan(oldest, choice, context)
  return outOfReach ? [outOfReach] : []
}

function unreachable(moment: Moment, tried: OutOfReach[]): PgbkError {
  const windows = tried
    .slice(0, 5)
    .map(({ id, from, to, reason }) => `  ${id}: ${formatTime(from)} to ${formatTime(to)}; ${reason}`)
  const receive = tried.some(({ reason }) => /archive/.test(reason))
    ? '\nThe archive grows while pgbk wal receive runs.'
    : ''
  return new PgbkError('usage', `no backup leads to ${describeMoment(moment)}`, {
    hint: `Nothing was written. What can be reached:\n${windows.join('\n')}${receive}`,
  })
}
