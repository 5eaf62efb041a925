import { join } from 'node:path'
import type { StoredBackup } from '../../catalog/backup.js'
import { storeNamed } from '../../catalog/source-place.js'
import type { Task } from '../../config/load.js'
import { withEnds } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { openWritableStore, type WritableStore } from '../../place/open-writable-store.js'
import type { KeptObject, ObjectStore } from '../../place/store/object-store.js'
import { promisedBy } from '../../retention/promised-wal.js'
import { policyOf, type RetentionPolicy, removesAnything } from '../../retention/retention.js'
import type { PruneOptions } from '../prune.js'
import { confirmRemoval } from './confirm-removal.js'
import { type JudgedThere, judgeThere } from './judge-store.js'
import { keptForText, moveWalThere, neededThere, type WalMoveThere } from './keep-wal-there.js'
import { removeFromStore } from './remove-from-store.js'
import { type SweptThere, sweepStore } from './sweep-store.js'
import { unlessDamaged } from './unless-damaged.js'
import { unsoundThere } from './unsound-there.js'

export interface PruneStoreResult {
  /** As it was named. */
  store: string
  /** The configuration file that lacks a policy for it; undefined where a policy removes anything. */
  withoutPolicy: string | undefined
  dryRun: boolean
  /** Where a backup is there. */
  locationOf(id: string): string
  kept: JudgedThere[]
  pruned: JudgedThere[]
  /** What Object Lock keeps of what was to go. */
  locked: KeptObject[]
  moved: WalMoveThere[]
  freedBytes: number
  swept: SweptThere
}

/**
 * Removes from a store what its own policy does not keep, after asking, and what killed uploads have left there.
 * @throws {PgbkError} `usage` where nobody can be asked and that was not waived.
 */
export async function pruneStore(
  from: string,
  options: Omit<PruneOptions, 'from'>,
  { settings, context }: Task,
): Promise<PruneStoreResult> {
  return withEnds(context, async (own) => {
    const task = { settings, context: own }
    return pruneOpened(await openWritableStore(from, task), from, options, task)
  })
}

/** The same of one that is open. @param from its name. @throws as `pruneStore`. */
export async function pruneOpened(
  store: WritableStore,
  from: string,
  options: Omit<PruneOptions, 'from'>,
  task: Task,
): Promise<PruneStoreResult> {
  const { settings, context } = task
  const named = storeNamed(from, settings.stores)
  const policy = policyOf(named?.retention, options.defaultPolicy ?? false)
  const { backups } = await store.place.list()
  const dryRun = options.dryRun ?? false
  const result = {
    store: from,
    dryRun,
    locationOf: store.place.locationOf,
    moved: [],
    locked: [],
    freedBytes: 0,
  }
  if (!removesAnything(policy)) {
    const { configFile = join(context.cwd, '.pgbkrc.yaml') } = settings
    const kept = backups.map((backup) => ({ backup, reasons: [{ rule: 'no policy' }] }))
    return { ...result, withoutPolicy: configFile, kept, pruned: [], swept: { ids: [], kept: [] } }
  }
  const unsound = await unsoundThere(store.objects, backups, context.now())
  for (const id of unsound)
    context.progress.warn(
      `${id} in ${from} counts for nothing: it is of the future, or lacks files of its record`,
    )
  const judged = judgeThere(backups, policy, task, unsound)
  const going = judged.filter(goes).map(({ backup }) => backup)
  if (going.length > 0 && !dryRun && !options.yes) await confirmRemoval('prune', going, context)
  const removed = await removeAll(store, judged, { policy, dryRun, unsound }, task)
  const listed = new Set(backups.map(({ id }) => id))
  const swept = await sweepStore(store.objects, context, { listed, dryRun })
  return { ...result, withoutPolicy: undefined, ...removed, swept }
}

type Removed = Pick<PruneStoreResult, 'kept' | 'pruned' | 'locked' | 'moved' | 'freedBytes'>

/** The oldest first: an interrupted one leaves no hole. */
async function removeAll(
  { objects }: WritableStore,
  judged: JudgedThere[],
  { policy, dryRun, unsound }: { policy: RetentionPolicy; dryRun: boolean; unsound: ReadonlySet<string> },
  { context }: Task,
): Promise<Removed> {
  const staying = judged.filter((one) => !goes(one))
  // What counts for nothing keeps no WAL, gets none, and is not where a span begins.
  const sound = backupsOf(staying).filter(({ id }) => !unsound.has(id))
  const promised = promisedBy(policy, sound, context.now())
  const removed: Removed = { kept: [...staying], pruned: [], locked: [], moved: [], freedBytes: 0 }
  for (const one of judged.filter(goes).reverse()) {
    context.signal.throwIfAborted()
    const { backup } = one
    if (!dryRun) context.progress.step(`removing ${backup.id} from ${objects.name}`)
    const { move, stays } = await walOf(objects, backup, promised, dryRun)
    if (stays !== undefined) {
      removed.kept.push({ backup, reasons: [{ rule: 'in use', detail: stays }] })
      promised.push(backup)
      continue
    }
    if (move) removed.moved.push(move)
    if (dryRun) {
      removed.freedBytes += backup.storedBytes
      removed.pruned.push(one)
      continue
    }
    const { isGone, kept, bytes } = await removeFromStore(objects, backup.id)
    removed.locked.push(...kept)
    removed.freedBytes += bytes
    if (isGone) removed.pruned.push(one)
    else removed.kept.push({ backup, reasons: [lockReason(kept)] })
  }
  return removed
}

/** What others get of the WAL of one that goes, and have then but for a dry run; or why it stays. */
async function walOf(
  objects: ObjectStore,
  backup: StoredBackup,
  promised: StoredBackup[],
  dryRun: boolean,
): Promise<{ move?: WalMoveThere; stays?: string }> {
  const needed = await unlessDamaged(async () => {
    const found = await neededThere(objects, backup, promised)
    if (found && 'move' in found && !dryRun) await moveWalThere(objects, found.move)
    return found
  })
  if (needed instanceof PgbkError) return { stays: messageOf(needed) }
  if (needed && 'keptFor' in needed) return { stays: keptForText(needed.keptFor) }
  return needed ?? {}
}

function lockReason(kept: KeptObject[]) {
  const until = kept[0]?.until
  return { rule: 'locked', ...(until && { detail: `until ${until.toISOString()}` }) }
}

function backupsOf(judged: JudgedThere[]): StoredBackup[] {
  return judged.map(({ backup }) => backup)
}

function goes({ reasons }: JudgedThere): boolean {
  return reasons.length === 0
}
