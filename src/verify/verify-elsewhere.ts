import { borrowWal } from '../borrowing/borrow-wal.js'
import { fullBackup } from '../borrowing/full-backup.js'
import { recordOf, type StoredBackup } from '../catalog/backup.js'
import { recordFault } from '../catalog/check-cluster.js'
import { selectBackup } from '../catalog/select.js'
import { resolveSource, sourceName, storeNamed } from '../catalog/source-place.js'
import { withIdentitiesIn } from '../config/identities.js'
import type { Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { type Fault, PgbkError } from '../errors.js'
import { imageName } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { openAsItLies, openPlace } from '../place/open-place.js'
import { findInstallations } from '../postgres/programs/find.js'
import { inParallel } from '../system/files/in-parallel.js'
import { type BytePath, bytePath } from '../system/paths/byte-path.js'
import { shellWord } from '../text/shell-word.js'
import { filesOf, segmentIn } from '../wal-segments/segment-forms.js'
import { ownSegments } from '../wal-segments/segment-range.js'
import { faultsOfFile, sizeFaults } from './files-elsewhere.js'
import { sealedFaults } from './sealed-faults.js'
import type { Verified, VerifyOptions, VerifyResult } from './verify.js'
import { checkWal } from './wal-faults.js'

const atOnce = 4

export interface VerifyElsewhereOptions extends VerifyOptions {
  /** The place. */
  from?: string | true
  /** Read all bytes. */
  read?: boolean
}

type Found = Pick<Verified, 'faults' | 'segments' | 'wal_bytes'>

/**
 * Compares what a place says of the files of its packed backups with their records, by names and sizes; with `read`, reads all of them. Of
 * an encrypted one, without a key, the files are compared as they lie.
 * @throws {PgbkError} as `openPlace` and `selectBackup`; `failed` for one that is plain.
 */
export async function verifyElsewhere(
  id: string | undefined,
  { all, read = false, from }: VerifyElsewhereOptions,
  task: Task,
): Promise<VerifyResult> {
  const { settings, context } = task
  const name = resolveSource(sourceName(from, settings), context.cwd, settings.stores)
  return withEnds(context, async (own) => {
    const place = await openPlace(name, own, { ...settings, isHeld: true })
    const catalog = await place.list()
    const look = await lookerIn(name, place, catalog.backups, read, { settings, context: own })
    const chosen = all ? catalog.backups : [selectBackup(catalog, id ?? 'latest', own, name)]
    const checks: Verified[] = []
    const leftOut: VerifyResult['leftOut'] = []
    for (const listed of chosen) {
      if (listed.form === 'plain') {
        if (!all) throw plainElsewhere(listed, place, own)
        leftOut.push({ id: listed.id, reason: 'it is plain: verify it there' })
        continue
      }
      const startedAt = own.now().getTime()
      own.progress.step(`verifying ${listed.id}`)
      const found = await look(listed)
      const duration_ms = Math.max(0, own.now().getTime() - startedAt)
      checks.push({ id: listed.id, ...found, pg_verifybackup: null, duration_ms })
    }
    return { root: name, checks, leftOut }
  })
}

/** What looks at a backup of a place. */
async function lookerIn(
  name: string,
  place: Place,
  backups: readonly StoredBackup[],
  read: boolean,
  task: Task,
): Promise<(listed: StoredBackup) => Promise<Found>> {
  const sealed = await placeWithoutKey(name, backups, task)
  return async (listed) =>
    sealed && listed.form === 'encrypted'
      ? sealedFaults(sealed, listed, read, task.context)
      : lookAt(place, await fullBackup(place, listed), read, task)
}

/** Where files are looked at as they lie, since there is no key; undefined where one is given, or nothing is encrypted. */
async function placeWithoutKey(
  name: string,
  backups: readonly StoredBackup[],
  { settings, context }: Task,
): Promise<Place | undefined> {
  if (!backups.some(({ form }) => form === 'encrypted')) return undefined
  const identities = withIdentitiesIn(storeNamed(name, settings.stores)?.identity, context)
  if ((await identities()).length > 0) return undefined
  const place = await openAsItLies(name, context, { ...settings, isHeld: true })
  await place.list()
  return place
}

function plainElsewhere({ id }: StoredBackup, { name }: Place, { pgbk }: Context): PgbkError {
  return new PgbkError(
    'failed',
    `backup ${id} in ${name} is plain: only packed ones are verified from elsewhere`,
    {
      hint: `Verify it there (pgbk verify), or bring it here, which verifies it:\n  ${pgbk(`download ${id} --from ${shellWord(name)}`)}`,
    },
  )
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
    const checked = await readWal(place, backup, task)
    return { faults: [...faults, ...checked.faults], segments: checked.segments, wal_bytes: checked.bytes }
  }
  const { wal_segment_size: size } = recordOf(backup)
  const raw = wal.filter((name) => /\/[0-9A-F]{24}$/.test(name))
  await inParallel(
    raw,
    atOnce,
    async (name) => void faults.push(...(await sizeFaults(place, backup, name, size))),
  )
  return { faults, segments: wal.length, wal_bytes: raw.length * size }
}

const missing = 'it is missing'

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
