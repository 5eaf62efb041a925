import { type LocalBackup, recordOf } from '../catalog/backup.js'
import type { BackupLayout, RootLayout } from '../catalog/layout.js'
import { discard, findLeftOvers, findLeftOversOf, type LeftOver } from '../catalog/partial.js'
import { openRootToChange } from '../catalog/prepare-root.js'
import { majorOf } from '../catalog/record.js'
import { selectBackup } from '../catalog/select.js'
import type { Settings, Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { PgbkError } from '../errors.js'
import { materialise } from '../forms/materialise.js'
import { type LocalPlace, localPlace } from '../place/local-place.js'
import { findInstallations } from '../postgres/programs/find.js'
import { freedBytes } from '../removal/freed-bytes.js'
import { checkNotInUse } from '../removal/in-use.js'
import type { HeldLock } from '../system/files/lock.js'
import { changeForm, sweepForms } from './change-form.js'
import { neededVerifier } from './check-copy-of-snapshot.js'
import { packSnapshot } from './pack-snapshot.js'

/** A backup in its new form, and what it took before. */
export interface ChangedForm {
  backup: LocalBackup
  storedBefore: number
  /** What the disk has got back: what it shares with others stays there. Negative where it takes more now. */
  savedBytes: number
  /** It had this form before, and that was said. */
  wasSo?: boolean
}

/**
 * Packs a whole backup: its snapshot becomes one compressed image, which pg_verifybackup has read all of before the directory goes. A
 * backup that is packed stays so, and that is said.
 * @throws {PgbkError} `not-found`; `failed` for one that is used, or in use; `programs-missing`, `disk-full`, `damaged`. Nothing has changed
 * then.
 */
export async function pack(id: string, task: Task): Promise<ChangedForm> {
  return changed(id, 'pack', task, async (backup, aside, own) => {
    const plain = await materialise(backup, own)
    const verifier = neededVerifier(
      majorOf(recordOf(backup)),
      await findInstallations(task.settings.bin_dir, own),
    )
    return packSnapshot(plain, aside, verifier, own)
  })
}

/**
 * Changes the form of a backup: the other one is made beside it, while backups are created, and takes its place in one step, when none
 * is: a create may read the latest one.
 * @param make makes it in a directory of its own, and returns the record with it.
 */
export async function changed(
  wanted: string,
  purpose: 'pack' | 'unpack',
  { settings, context }: Task,
  make: (backup: LocalBackup, aside: BackupLayout, own: Context) => Promise<object>,
): Promise<ChangedForm> {
  const root = openRootToChange(settings.root, context)
  const place = localPlace(root.root, context)
  const chosen = selectBackup(await place.list(), wanted, context)
  const form = purpose === 'pack' ? 'packed' : 'plain'
  if (chosen.form === form) {
    context.progress.warn(`${chosen.id} is ${form} already`)
    return { backup: chosen, storedBefore: chosen.storedBytes, savedBytes: 0, wasSo: true }
  }
  return place.lease('pack', { purpose }, context, async (guarded, lease) => {
    await sweep(place, root, lease, guarded)
    const before = await checked(chosen.id, place, settings, guarded)
    const freed = await freedBytes(before, (await place.list()).backups, guarded)
    const staged = await place.stage(guarded.now(), { made_by: purpose })
    try {
      const record = await withEnds(guarded, (own) => make(before, staged.layout, own))
      const change = {
        record: `${JSON.stringify(record, undefined, 2)}\n`,
        aside: staged.layout.directory,
      }
      await whileNoneIsCreated(place, purpose, guarded, async (locked) => {
        await sweepForms(root, locked)
        const still = await checked(before.id, place, settings, locked)
        await lease.check()
        await changeForm(still, change, () => checkNotInUse([still], settings.root, locked))
      })
    } finally {
      await place.discard(staged)
    }
    const backup = selectBackup(await place.list(), before.id, guarded)
    return { backup, storedBefore: before.storedBytes, savedBytes: freed - backup.storedBytes }
  })
}

/** Waits for a create that goes on. */
function whileNoneIsCreated<T>(
  place: LocalPlace,
  purpose: string,
  context: Context,
  work: (locked: Context) => Promise<T>,
): Promise<T> {
  const options = { purpose, wait: true }
  return place.lease('create', options, context, (guarded, creating) =>
    place.lease('catalog', options, guarded, async (locked, catalog) => {
      await creating.check()
      await catalog.check()
      return work(locked)
    }),
  )
}

/** Clears away what a killed pack or unpack has left beside the backups. */
async function sweep(place: LocalPlace, root: RootLayout, lease: HeldLock, context: Context): Promise<void> {
  for (const { layout, marker } of await leftOvers(place, root, context)) {
    if (!['pack', 'unpack'].includes(marker?.made_by ?? '')) continue
    await lease.check()
    await discard(layout)
  }
}

/** The backup, as it is now, if its form may be changed. @throws {PgbkError} as `pack`. */
async function checked(
  id: string,
  place: LocalPlace,
  { root }: Settings,
  context: Context,
): Promise<LocalBackup> {
  const backup = selectBackup(await place.list(), id, context)
  recordOf(backup)
  if (backup.state === 'used')
    throw new PgbkError('failed', `backup ${id} is used: a server was started inside its snapshot`, {
      hint: 'It is no longer what was backed up, and is not packed.',
    })
  checkNotInUse([backup], root, context)
  return backup
}

/** Where no create goes on, also what was killed before it had a whole marker. */
function leftOvers(place: LocalPlace, root: RootLayout, context: Context): Promise<LeftOver[]> {
  const looking = place.lease('create', { purpose: 'sweep' }, context, () => findLeftOvers(root))
  return looking.catch((error) => {
    if (!(error instanceof PgbkError) || error.code !== 'locked') throw error
    return findLeftOversOf(root, ['pack', 'unpack'])
  })
}
