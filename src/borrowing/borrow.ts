import type { LocalBackup, SnapshotImage, StoredBackup } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { resolveSource, sourceName } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import { withWholeRecord } from '../place/encrypted/whole-record.js'
import { openPlace } from '../place/open-place.js'
import {
  parseRecoveryTarget,
  type TargetOptions,
  type TargetRules,
} from '../recovery/parse-recovery-target.js'
import { readFetchNote } from '../remote-image/fetch-note.js'
import { formatBytes } from '../text/format.js'
import { type BorrowedRoot, makeBorrowedRoot } from './borrowed-root.js'
import { chooseElsewhere, namingOlder, olderOf, withFurtherWal } from './choose-elsewhere.js'
import { fetchRecordAndWal } from './fetch-wal.js'
import { fetchWholeImage } from './fetch-whole-image.js'
import { prepareImageElsewhere } from './prepare-image-elsewhere.js'

export interface BorrowOptions extends TargetOptions {
  from?: string | true
  /** Bring the whole image here first. */
  download?: boolean
  /** What is made of it stays, a restore: its image is fetched anew. */
  lasts?: boolean
}

/** A backup of a place elsewhere, here for a while. */
export interface BorrowedBackup {
  id: string
  catalog: Catalog
  root: BorrowedRoot
  /** The same work on the root that it is in. */
  task: Task
  /** Bytes that were fetched of it so far. */
  fetched(): number
  /** Says how much that is, and what has failed. */
  sayFetched(): void
  /** An error, with what else could be tried where the one that was chosen cannot be taken to the target. */
  explained(error: unknown): unknown
}

/**
 * Makes a root on this machine that has a backup of a place, and of that no more than is needed: its record, the WAL up to the recovery
 * target, with that of later backups, and what is read of its image, of which every start's own reads come at once.
 * @throws {PgbkError} as `openPlace` and `selectBackup`; `failed` for a backup that is not packed, saying what to do.
 */
export async function borrow(
  id: string | undefined,
  options: BorrowOptions,
  rules: TargetRules,
  { settings, context }: Task,
): Promise<BorrowedBackup> {
  const name = resolveSource(sourceName(options.from, settings), context.cwd, settings.stores)
  const { point } = parseRecoveryTarget(options, rules, { settings, context })
  const root = await makeBorrowedRoot(context)
  const task = { settings: { ...settings, root: root.layout.root }, context }
  const open = options.download
    ? undefined
    : prepareImageElsewhere({ place: name, lasts: options.lasts ?? false, root, task })
  const place = await openPlace(name, context, { ...settings, isHeld: options.download ?? false })
  const catalog = await place.list()
  const listed = chooseElsewhere(catalog, id, point, { name, context })
  const chosen = await withWholeRecord(place, listed)
  const later = await allWhole(place, withFurtherWal(catalog, listed, point), context)
  const needed = [chosen, ...later]
  let fetched = 0
  for (const backup of needed)
    fetched += await fetchRecordAndWal(place, backup, root, { withWal: point.kind !== 'snapshot' }, context)
  const image = open?.(chosen, listed.form === 'encrypted')
  image?.catch(() => {}) // whoever opens it is told
  const openImage = image && told(image, () => sayCost(chosen, name, context))
  if (options.download) fetched += await fetchWholeImage(place, chosen, root, context)
  const note = () => readFetchNote(root.layout.fetched)
  const allFetched = () => fetched + (note()?.bytes ?? 0)
  const older = id === undefined ? olderOf(catalog, listed, point)?.id : undefined
  return {
    id: chosen.id,
    explained: (error) => (older === undefined ? error : namingOlder(error, older)),
    root,
    task,
    catalog: borrowedCatalog(chosen, { place: name, root, openImage }),
    fetched: allFetched,
    sayFetched: () => {
      const { failure } = note() ?? {}
      if (failure) context.progress.warn(`not all could be read: ${failure.message}`)
      context.progress.say(`${formatBytes(allFetched())} were fetched from ${name}.`)
    },
  }
}

function borrowedCatalog(
  { id }: StoredBackup,
  { place, root, openImage }: { place: string; root: BorrowedRoot; openImage: Opener | undefined },
): Catalog {
  const catalog = readCatalog(root.layout.root)
  const { root: directory, fetched: note } = root.layout
  const borrowed = { place, root: directory, note }
  const lend = (backup: LocalBackup): LocalBackup => ({
    ...backup,
    borrowed: backup.id === id && openImage ? { ...borrowed, openImage } : borrowed,
  })
  return { ...catalog, backups: catalog.backups.map(lend) }
}

type Opener = () => Promise<SnapshotImage>

/** What it costs is said when it is first asked for. */
function told(image: Promise<SnapshotImage>, say: () => void): Opener {
  let isTold = false
  return () => {
    if (!isTold) say()
    isTold = true
    return image
  }
}

function sayCost({ summary }: StoredBackup, name: string, { progress }: Context): void {
  const size = formatBytes(summary.packed?.bytes ?? 0)
  progress.say(`What is read of the image (${size} in all) is fetched from ${name} when it is needed.`)
}

/** Their whole records. One whose record is not what was sent is none to look for WAL by, as in a root of this machine. */
async function allWhole(
  place: Place,
  listed: readonly StoredBackup[],
  { progress }: Context,
): Promise<StoredBackup[]> {
  const whole: StoredBackup[] = []
  for (const backup of listed)
    try {
      whole.push(await withWholeRecord(place, backup))
    } catch (error) {
      if (!(error instanceof PgbkError) || error.code !== 'damaged') throw error
      progress.warn(`no WAL is taken from ${backup.id}: ${error.message}`)
    }
  return whole
}
