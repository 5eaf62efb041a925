import { borrowWal } from '../borrowing/borrow-wal.js'
import { recordOf, type StoredBackup } from '../catalog/backup.js'
import { recordFault } from '../catalog/check-cluster.js'
import { storeNamed } from '../catalog/source-place.js'
import { withIdentitiesIn } from '../config/identities.js'
import type { Settings, Task } from '../config/load.js'
import type { Context } from '../context.js'
import type { Fault } from '../errors.js'
import { imageName } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { encryptedName } from '../place/encrypted/encrypted-names.js'
import { withWholeRecord } from '../place/encrypted/whole-record.js'
import { openAsItLies } from '../place/open-place.js'
import { findInstallations } from '../postgres/programs/find.js'
import { inParallel } from '../system/files/in-parallel.js'
import { type BytePath, bytePath } from '../system/paths/byte-path.js'
import { filesOf, segmentIn } from '../wal-segments/segment-forms.js'
import { ownSegments } from '../wal-segments/segment-range.js'
import { faultsOfFile, missing, orFaulty, sizeFaults } from './files-elsewhere.js'
import { clearFaults, sealedFaults, sealedFileFaults } from './sealed-faults.js'
import type { Verified } from './verify.js'
import { checkWal } from './wal-faults.js'

const atOnce = 4

type Found = Pick<Verified, 'faults' | 'segments' | 'wal_bytes'>

/** What looks at a packed backup of a place. @throws {PgbkError} `not-found` when it is removed meanwhile; as `Place.read`. */
export type Looker = (backup: StoredBackup, read: boolean, context: Context) => Promise<Found>

/**
 * @param place what decrypts what is encrypted.
 * @param name its name.
 * @param backups what will be looked at.
 */
export async function lookerIn(
  name: string,
  place: Place,
  backups: readonly StoredBackup[],
  { settings, context }: Task,
): Promise<Looker> {
  const open: Looker = async (listed, read, own) =>
    lookAt(place, await withWholeRecord(place, listed), read, { settings, context: own })
  if (!backups.some(({ form }) => form === 'encrypted')) return open
  const lying = await openAsItLies(name, context, { ...settings, isHeld: true })
  const known = new Map((await lying.list()).backups.map((backup) => [backup.id, backup]))
  const hasKey = (await identitiesFor(name, settings, context)).length > 0
  return async (listed, read, own) => {
    if (listed.form !== 'encrypted') return open(listed, read, own)
    const sealed = known.get(listed.id) ?? listed
    if (!hasKey) return sealedFaults(lying, sealed, read, own)
    const isImage = (file: string) => file === encryptedName(imageName)
    const faults = await sealedFileFaults(lying, sealed, { read, wanted: (file) => !isImage(file) }, own)
    faults.push(...clearFaults((await lying.files(sealed)).files))
    // A record that is not as it was sent is none to look at the others by.
    if (faults.some(({ file }) => file === sealedRecord)) return { faults, segments: 0, wal_bytes: 0 }
    const found = await openedFaults(place, listed, read, { settings, context: own })
    return { ...found, faults: [...faults, ...found.faults] }
  }
}

const sealedRecord = 'backup.json.age'

function identitiesFor(name: string, { stores }: Settings, context: Context) {
  return withIdentitiesIn(storeNamed(name, stores)?.identity, context)()
}

/** Of an encrypted one, with the key. */
async function openedFaults(place: Place, listed: StoredBackup, read: boolean, task: Task): Promise<Found> {
  const opened: StoredBackup[] = []
  const faults = await orFaulty(place, listed, sealedRecord, async () => {
    opened.push(await withWholeRecord(place, listed))
    return []
  })
  const [backup] = opened
  return backup ? lookAt(place, backup, read, task) : { faults, segments: 0, wal_bytes: 0 }
}

async function lookAt(place: Place, backup: StoredBackup, read: boolean, task: Task): Promise<Found> {
  const damage = recordFault(backup)
  if (damage !== undefined)
    return { faults: [{ file: 'backup.json', problem: damage }], segments: 0, wal_bytes: 0 }
  const { files } = await place.files(backup)
  const wal = files.filter((name) => name.startsWith('wal/') && segmentIn(name.slice(4)) !== undefined)
  const faults = [
    ...(await imageFaults(place, backup, files, read, task.context)),
    ...(files.includes(bytePath('README')) ? [] : [{ file: 'README', problem: missing }]),
    ...missingSegments(backup, wal),
  ]
  if (read) {
    const checked = { segments: 0, bytes: 0 }
    const ofWal = await orFaulty(place, backup, 'wal', async () => {
      const { faults: found, ...counts } = await readWal(place, backup, task)
      Object.assign(checked, counts)
      return found
    })
    return { faults: [...faults, ...ofWal], segments: checked.segments, wal_bytes: checked.bytes }
  }
  const { wal_segment_size: size } = recordOf(backup)
  const raw = wal.filter((name) => /\/[0-9A-F]{24}$/.test(name))
  await inParallel(raw, atOnce, async (name) => {
    const found = await orFaulty(place, backup, name, () => sizeFaults(place, backup, name, size))
    faults.push(...found)
  })
  return { faults, segments: wal.length, wal_bytes: wal.length * size }
}

async function imageFaults(
  place: Place,
  backup: StoredBackup,
  files: BytePath[],
  read: boolean,
  context: Context,
): Promise<Fault[]> {
  const { packed } = backup.summary
  if (!packed || !files.includes(imageName)) return [{ file: imageName, problem: missing }]
  return faultsOfFile(place, backup, { name: imageName, ...packed }, read, context)
}

/** Those that the snapshot itself needs. */
function missingSegments(backup: StoredBackup, wal: BytePath[]): Fault[] {
  const here = new Set<string>(wal)
  return [...ownSegments(recordOf(backup)).names()].flatMap((segment) =>
    filesOf(segment).some((file) => here.has(`wal/${file}`))
      ? []
      : [{ file: `wal/${segment}`, problem: missing }],
  )
}

/** As `verify` does it, of a copy that goes again. */
async function readWal(place: Place, backup: StoredBackup, { settings, context }: Task) {
  const { backup: copy, catalog } = await borrowWal(place, backup, context)
  const installations = await findInstallations(settings.bin_dir, context)
  return checkWal(copy, catalog, installations, context)
}
