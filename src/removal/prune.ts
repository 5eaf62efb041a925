import { join } from 'node:path'
import type { LocalBackup } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { windowStart } from '../catalog/data-time.js'
import { type RootLayout, rootLayout } from '../catalog/layout.js'
import { openRootToChange } from '../catalog/prepare-root.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { localPlace } from '../place/local-place.js'
import { promisedBy } from '../retention/promised-wal.js'
import {
  type Candidate,
  judge,
  policyOf,
  type Reason,
  type RetentionPolicy,
  removesAnything,
} from '../retention/retention.js'
import { isInService, readReceiverState } from '../wal-archive/receiver-state.js'
import { type WalPool, walPool } from '../wal-archive/wal-pool.js'
import type { WalMove } from '../wal-coverage/move-wal.js'
import { quickWindow } from '../wal-coverage/window.js'
import { candidateFor } from './candidate.js'
import { removalQuestion } from './delete.js'
import { type FreedBytes, freedByAll, freedBytes } from './freed-bytes.js'
import { findInUse, type InUse } from './in-use.js'
import { lackedByStores } from './lacked-by-stores.js'
import type { PlannedRemoval } from './needed-wal.js'
import { plannedMoves, removeKeepingWal } from './remove-keeping-wal.js'

export interface PruneOptions {
  /** Change nothing. */
  dryRun?: boolean
  /** Where the configuration has no policy, use that of unattended backups. */
  defaultPolicy?: boolean
  /** Do not ask. */
  yes?: boolean
}

/** A backup, and why it stays; without a reason it goes. */
export interface JudgedBackup {
  backup: LocalBackup
  reasons: Reason[]
}

export interface PruneResult {
  root: string
  /** The configuration file that lacks a policy, or would be read if it were there; undefined where a policy removes anything. */
  withoutPolicy: string | undefined
  dryRun: boolean
  kept: JudgedBackup[]
  /** What was removed, or, in a dry run, would be. */
  pruned: JudgedBackup[]
  /** WAL of theirs that others still need, and get before. */
  moved: WalMove[]
  /** What the disk gets, or would get, back. */
  freed: FreedBytes
}

/**
 * Removes the backups that the retention policy does not keep, after asking. What goes is decided once more before each removal,
 * under the lock; what has got a reason to stay meanwhile stays. Can be interrupted between two.
 * @throws {PgbkError} `usage` where nobody can be asked and that was not waived.
 */
export async function prune(options: PruneOptions, task: Task): Promise<PruneResult> {
  const { settings, context } = task
  const { root } = settings
  const { progress, signal } = context
  const policy = policyOf(settings.retention, options.defaultPolicy ?? false)
  const dryRun = options.dryRun ?? false
  if (!removesAnything(policy)) return withoutPolicy(task, { dryRun })
  const layout = dryRun ? undefined : openRootToChange(root, context)
  const judged = judgeAll(policy, task)
  const going = judged.filter(goes)
  warnOfOnDemand(going, policy, context)
  const kept = judged.filter((one) => !goes(one))
  const result = {
    root,
    withoutPolicy: undefined,
    dryRun,
    kept,
    pruned: going,
    moved: [],
    freed: { bytes: 0, isExact: true },
  }
  if (going.length === 0) return result
  if (layout === undefined) {
    const removal = removalOf(readCatalog(root), judged, policy, context)
    const moved = await plannedMoves(removal, task)
    return { ...result, moved, freed: await freedByAll(removal.going, removal.catalog.backups, context) }
  }
  if (!options.yes) await ask(going, judged, context)

  const pruned: JudgedBackup[] = []
  const moved: WalMove[] = []
  let bytes = 0
  try {
    for (const [index, one] of going.entries()) {
      signal.throwIfAborted()
      progress.step(`removing ${one.backup.id} (${index + 1} of ${going.length})`)
      const removed = await removeUnlessNeeded(one.backup.id, layout, policy, task)
      if (!removed) continue
      pruned.push(one)
      moved.push(...removed.moved)
      bytes += removed.freedBytes
    }
  } catch (error) {
    for (const { backup } of pruned) progress.say(`removed ${backup.id}`)
    throw error
  }
  return { ...result, kept: judgeAll(policy, task), pruned, moved, freed: { bytes, isExact: true } }
}

/** Returns what has moved and is free; undefined for one that stays, or has gone by itself. */
async function removeUnlessNeeded(
  id: string,
  root: RootLayout,
  policy: RetentionPolicy,
  task: Task,
): Promise<{ moved: WalMove[]; freedBytes: number } | undefined> {
  const { settings, context } = task
  const options = { purpose: 'prune', wait: true }
  const place = localPlace(root.root, context)
  return place.lease('catalog', options, context, async (guarded, lease) => {
    const judged = judgeAll(policy, task)
    const found = judged.find(({ backup }) => backup.id === id)
    if (!found || !goes(found)) {
      context.progress.warn(found ? `${id} stays: it is needed since just now` : `${id} has gone by itself`)
      return undefined
    }
    const removal = removalOf(await place.list(), judged, policy, context)
    const freed = await freedBytes(found.backup, removal.catalog.backups, guarded)
    const within = { settings, context: guarded }
    const moves = await removeKeepingWal(found.backup, { ...removal, root, place, lease }, within)
    return { moved: moves, freedBytes: freed }
  })
}

function withoutPolicy({ settings, context }: Task, { dryRun }: Pick<PruneResult, 'dryRun'>): PruneResult {
  const { root, configFile = join(context.cwd, '.pgbkrc.yaml') } = settings
  const kept = readCatalog(root).backups.map((backup) => ({ backup, reasons: [{ rule: 'no policy' }] }))
  return {
    root,
    withoutPolicy: configFile,
    dryRun,
    kept,
    pruned: [],
    moved: [],
    freed: { bytes: 0, isExact: true },
  }
}

/** What goes, and which of the others have to reach what they reach now. */
function removalOf(
  catalog: Catalog,
  judged: JudgedBackup[],
  policy: RetentionPolicy,
  { now }: Context,
): PlannedRemoval {
  const going = judged.filter(goes).map(({ backup }) => backup)
  const staying = judged.filter((one) => !goes(one)).map(({ backup }) => backup)
  return { catalog, going, promised: promisedBy(policy, staying, now()) }
}

/** All backups of the root, newest first. */
function judgeAll(policy: RetentionPolicy, { settings, context }: Task): JudgedBackup[] {
  const { root, time_zone: timeZone } = settings
  const catalog = readCatalog(root)
  const { backups } = catalog
  const pool = walPool(catalog)
  const inUseBy = findInUse(root, context)
  const receiver = readReceiverState(rootLayout(root))
  const isReceiving = ({ id }: LocalBackup) => receiver?.backup === id && isInService(receiver, context.now())
  const lackedBy = lackedByStores(rootLayout(root), settings, context)
  const candidates = backups.map((backup) =>
    candidateFor(backup, windowOf(backup, pool), [
      ...inUseBy(backup),
      ...(isReceiving(backup) ? [receiverUse] : []),
      ...lackedBy(backup),
    ]),
  )
  const reasons = judge(candidates, policy, { now: context.now(), timeZone })
  return backups.map((backup) => ({ backup, reasons: reasons.get(backup.id) ?? [] }))
}

const receiverUse: InUse = { by: 'pgbk wal receive', hint: 'Its WAL archive is growing.' }

/** To know its end for sure, its WAL would have to be read; that it has none beyond its snapshot shows at once. */
function windowOf(backup: LocalBackup, pool: WalPool): Candidate['window'] {
  const from = Date.parse(windowStart(backup.summary))
  return quickWindow(backup, pool) ? { from, to: from } : { from }
}

function goes({ reasons }: JudgedBackup): boolean {
  return reasons.length === 0
}

/** Somebody made them by hand, and may not think of them when a policy is written. */
function warnOfOnDemand(going: JudgedBackup[], { on_demand }: RetentionPolicy, { progress }: Context): void {
  const count = going.filter(({ backup }) => backup.summary.kind === 'on-demand').length
  if (count === 0 || on_demand !== undefined) return
  progress.warn(
    `${count} of those that go ${count === 1 ? 'was' : 'were'} made on demand, and the policy has no on_demand; pgbk hold keeps one`,
  )
}

async function ask(going: JudgedBackup[], all: JudgedBackup[], context: Context): Promise<void> {
  if (!context.ask) {
    throw new PgbkError('usage', 'prune removes nothing without a confirmation', {
      hint: 'Without a terminal, use --yes; --dry-run shows what would be removed.',
    })
  }
  const question = await removalQuestion(
    going.map(({ backup }) => backup),
    all.map(({ backup }) => backup),
    context,
  )
  if (await context.ask(question)) return
  throw new PgbkError('failed', 'nothing was removed')
}
