import { type LocalBackup, type ReadableBackup, type StoredBackup, snapshotOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { recordFault } from '../catalog/check-cluster.js'
import { windowStart } from '../catalog/data-time.js'
import { checkStillThere, unlessRemoved } from '../catalog/removed-meanwhile.js'
import { selectBackup } from '../catalog/select.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { materialise } from '../forms/materialise.js'
import type { Installation } from '../postgres/programs/find.js'
import { checkPlainTree } from '../snapshot/check-plain-tree.js'
import { formatTime, formatTimes } from '../text/format.js'
import { instantOf } from '../text/instant.js'
import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import type { CaughtUp } from '../wal-archive/caught-up.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { WalPool } from '../wal-archive/wal-pool.js'
import { isBefore } from '../wal-segments/lsn.js'
import { planRecovery, type UnreachableFromBackup } from './plan-recovery.js'
import { aboveConf, type RecoveryPlan } from './recovery-plan.js'
import { describePoint, type RecoveryTarget, type TargetPoint } from './recovery-target.js'

interface ChosenBackup {
  backup: ReadableBackup
  plan: RecoveryPlan
}

interface BackupChoice {
  catalog: Catalog
  /** As the user wrote it; undefined when none was named. */
  id: string | undefined
  target: RecoveryTarget
  installations: Installation[]
  /** Whether a backup will do in whose snapshot a server was started. */
  mayBeOpened: boolean
  pool: WalPool
  /** What is known of WAL segments, so that they need not be read. */
  notes?: SegmentNotes | undefined
  /** Until when everything is in this WAL, though nothing was committed. */
  caughtUp(wal: ArchivedWal): CaughtUp | undefined
}

/**
 * The backup that leads to a recovery target, opened, with the way there: the named one, else the newest whose snapshot ends before it.
 * @throws {PgbkError} `not-found` when there is no such backup, `usage` when none leads to the target, saying which times can be
 * reached; as `planRecovery` otherwise.
 */
export async function chooseBackup(choice: BackupChoice, context: Context): Promise<ChosenBackup> {
  const { id, target } = choice
  const { point } = target
  const tried: UnreachableFromBackup[] = []
  for (const backup of candidatesFor(choice, context)) {
    const unusable = id === undefined ? recordFault(backup) : undefined
    if (unusable !== undefined) {
      context.progress.warn(`passing over ${backup.id}: ${unusable}`)
      continue
    }
    if (!choice.mayBeOpened) checkNotOpened(backup, context)
    const planned = await plan(backup, choice, context)
    if (planned.plan) return unlessRemoved(backup, context, () => opened(backup, planned.plan, context))
    tried.push(planned.unreachable)
  }
  const reasons = [...tried, ...(await laterOne(choice, context))]
  if (isToCome(point, context))
    throw unreachable(`${formatTimes(point.time)} has not come yet`, reasons, choice)
  const named = id === undefined ? 'no backup can be taken' : `backup ${reasons[0]?.id ?? id} cannot be taken`
  throw unreachable(`${named} to ${describePoint(point)}`, reasons, choice)
}

async function opened(chosen: LocalBackup, plan: RecoveryPlan, context: Context): Promise<ChosenBackup> {
  const backup = await materialise(chosen, context)
  if (backup.image)
    await unlessRemoved(backup, context, () => checkPlainTree(backup.snapshot, context.signal))
  return { backup, plan: aboveConf(plan, snapshotOf(backup).conf) }
}

function candidatesFor({ catalog, id, target: { point } }: BackupChoice, context: Context): LocalBackup[] {
  const { length: count } = catalog.backups
  if (id !== undefined || count === 0 || point.kind === 'snapshot' || point.kind === 'latest')
    return [selectBackup(catalog, id ?? 'latest', context)]
  const found = catalog.backups.filter((backup) => backup.state === 'whole' && mayLeadTo(backup, point))
  // What has not come yet is in none of the older ones either.
  if (!isToCome(point, context)) return found
  const newest = found.find((backup) => recordFault(backup) === undefined)
  return newest ? [newest] : []
}

function isToCome(point: TargetPoint, { now }: Context): point is Extract<TargetPoint, { kind: 'time' }> {
  return point.kind === 'time' && point.time > now().toISOString()
}

async function plan(backup: LocalBackup, { target, ...known }: BackupChoice, context: Context) {
  const planned = await unlessRemoved(backup, context, () => planRecovery(backup, target, known, context))
  checkStillThere(backup) // or what is gone of its archive would count as never received
  return planned
}

/** Whether the snapshot ends before the target, as far as its summary tells. */
export function mayLeadTo({ summary }: StoredBackup, point: TargetPoint): boolean {
  if (point.kind === 'time') return instantOf(windowStart(summary)) <= point.time
  return point.kind !== 'lsn' || !isBefore(point.lsn, summary.stop_lsn)
}

/** @throws {PgbkError} `failed`. */
function checkNotOpened({ id, state }: LocalBackup, { pgbk }: Context): void {
  if (state !== 'used') return
  throw new PgbkError('failed', `backup ${id} is used: a server was started inside its snapshot`, {
    hint: `The WAL archive no longer fits its data: it can neither be taken to a moment nor restored. Choose another backup, or open it as it is:\n  ${pgbk('list')}\n  ${pgbk(`local-run ${id}`)}`,
  })
}

/** The first backup after the target shows from when on targets can be reached again. */
async function laterOne(choice: BackupChoice, context: Context): Promise<UnreachableFromBackup[]> {
  const { catalog, id, target } = choice
  if (id !== undefined) return []
  const later = catalog.backups.findLast(
    (backup) =>
      backup.state === 'whole' && !mayLeadTo(backup, target.point) && recordFault(backup) === undefined,
  )
  const { unreachable } = later ? await plan(later, choice, context) : {}
  return unreachable ? [unreachable] : []
}

function unreachable(
  message: string,
  tried: UnreachableFromBackup[],
  { catalog, id }: BackupChoice,
): PgbkError {
  const windows = tried
    .slice(0, 5)
    .map(({ id, from, to, reason }) => `  ${id}: ${formatTime(from)} to ${formatTime(to)}; ${reason}`)
  const used = catalog.backups.filter(({ state }) => id === undefined && state === 'used').length
  const hint = [
    'Nothing was written. What can be reached:',
    ...(windows.length > 0 ? windows : ['  nothing']),
  ]
  if (used > 0)
    hint.push(
      `${used} used ${used === 1 ? 'backup is' : 'backups are'} left out: a server was started inside the snapshot.`,
    )
  if (tried.some((one) => one.mayGrow && one.id === catalog.backups[0]?.id))
    hint.push('The archive of the newest backup grows while pgbk wal receive runs.')
  if (id !== undefined && catalog.backups.length > 1 && !catalog.backups[0]?.borrowed)
    hint.push('Without an id, pgbk chooses a backup that can be taken there, if there is one.')
  return new PgbkError('usage', message, { hint: hint.join('\n'), facts: { kind: 'target-unreachable' } })
}
