import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, layoutOf, type ReadableBackup, recordOf, snapshotOf } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { recordFault } from '../catalog/check-cluster.js'
import { isId } from '../catalog/id.js'
import { type BackupFiles, rootLayout } from '../catalog/layout.js'
import type { Proof } from '../catalog/proof.js'
import { type BackupRecord, majorOf } from '../catalog/record.js'
import { checkStillThere, unlessRemoved } from '../catalog/removed-meanwhile.js'
import { selectBackup } from '../catalog/select.js'
import type { Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { type Fault, PgbkError, systemCode, systemReason } from '../errors.js'
import { checkImageIs } from '../forms/check-image.js'
import { materialise } from '../forms/materialise.js'
import { findVerifier, type Verifier } from '../postgres/programs/check-backup.js'
import { findInstallations, type Installation } from '../postgres/programs/find.js'
import { installHint } from '../postgres/programs/install-hint.js'
import type { SandboxMode } from '../run/enclosure/start-enclosed.js'
import { prove, withSandbox } from '../run/proof/prove.js'
import { confFaults, notCompared as confNotCompared } from '../snapshot/conf/conf-faults.js'
import { relativeInside } from '../system/paths/inside.js'
import { directoryFaults, fileFaults, recordFaults } from './snapshot-faults.js'
import { checkWal } from './wal-faults.js'
import { walRecordFaults } from './wal-record-faults.js'

export interface VerifyOptions {
  all?: boolean
  /** Really start it, too. */
  prove?: boolean
  sandbox?: SandboxMode
}

/** What a check of one backup has found. */
export interface Verified {
  id: string
  faults: Fault[]
  /** Of the WAL archive; 0 where it was not looked at. */
  segments: number
  wal_bytes: number
  /** The pg_verifybackup that was asked; null where it was not. */
  pg_verifybackup: string | null
  duration_ms: number
  /** That was made after it. */
  proof?: Proof
}

type Found = Omit<Verified, 'id' | 'duration_ms' | 'proof'>

export interface VerifyResult {
  root: string
  checks: Verified[]
}

/**
 * Checks one backup, or all of the root, and returns what was found; a proof is kept beside it, nothing else is written. With `all`,
 * what is removed meanwhile is left out, and an image that cannot be mounted here is warned of.
 * @throws {PgbkError} `not-found`; `programs-missing` without a pg_verifybackup that knows this major.
 */
export async function verify(
  id: string | undefined,
  { all, prove: toProve, sandbox }: VerifyOptions,
  task: Task,
): Promise<VerifyResult> {
  const { settings, context } = task
  const { root } = settings
  const catalog = readCatalog(root)
  const broken = brokenRecords(catalog).filter(({ name }) => all || name === id)
  const one = () => [selectBackup(catalog, id ?? 'latest', context)]
  const chosen = all ? catalog.backups : broken.length > 0 ? [] : one()
  const checks: Verified[] = broken.map(({ name, reason }) => ({
    id: name,
    ...unread({ file: 'backup.json', problem: reason }),
    duration_ms: 0,
  }))
  let leftOut = 0
  const installations = chosen.length > 0 ? await findInstallations(settings.bin_dir, context) : []
  for (const backup of chosen) {
    try {
      checks.push(
        await withEnds(context, async (own) => {
          const check = await verifyBackup(backup, catalog, installations, own)
          if (!toProve) return check
          return proveToo(check, backup, catalog, withSandbox({ settings, context: own }, sandbox))
        }),
      )
    } catch (error) {
      if (!all) throw error
      if (leaveOut(error, backup, context)) leftOut++
    }
  }
  if (checks.length + leftOut === 0)
    throw new PgbkError('not-found', `there is no backup in ${root}`, {
      hint: `Make the first one, or name the right root with -C:\n  ${context.pgbk('create')}`,
    })
  return { root, checks: checks.sort((a, b) => (a.id < b.id ? 1 : -1)) }
}

/** Says why one of all backups is left out. @returns whether it is there all the same. @throws what is no reason for that. */
function leaveOut(error: unknown, { id }: LocalBackup, { progress }: Context): boolean {
  if (error instanceof NotOpened) {
    progress.warn(`${id}: its SHA-256 is right, its contents were not looked at: ${error.message}`)
    return true
  }
  // One that a prune removes meanwhile is none.
  if (!(error instanceof PgbkError) || error.code !== 'not-found') throw error
  progress.say(error.message)
  return false
}

/** Compares a backup with its manifest and its record, and reads all of its WAL archive. Nothing is changed. */
async function verifyBackup(
  backup: LocalBackup,
  catalog: Catalog,
  installations: Installation[],
  context: Context,
): Promise<Verified> {
  const startedAt = context.now().getTime()
  const found = await unlessRemoved(backup, context, () => lookAt(backup, catalog, installations, context))
  checkStillThere(backup)
  return { id: backup.id, ...found, duration_ms: Math.max(0, context.now().getTime() - startedAt) }
}

async function lookAt(
  listed: LocalBackup,
  catalog: Catalog,
  installations: Installation[],
  context: Context,
): Promise<Found> {
  const damage = recordFault(listed)
  if (damage !== undefined) return unread({ file: 'backup.json', problem: damage })
  const { id } = listed
  if (listed.form === 'packed') {
    context.progress.step(`verifying ${id}: the image`)
    const fault = await imageFault(listed, context)
    if (fault) return unread(fault)
  }
  const backup = await opened(listed, context)
  const layout = snapshotOf(backup)
  if (!existsSync(layout.data)) return unread({ file: 'snapshot/data', problem: 'it is missing' })
  if (backup.state === 'used' && existsSync(join(layout.data, 'backup_label.old'))) {
    const problem = 'a server was started inside it: it is no longer what was backed up'
    return unread({ file: 'snapshot', problem })
  }
  const record = recordOf(backup)
  const verifier = verifierFor(record, installations, context)
  context.progress.step(`verifying ${id}: the snapshot`)
  const looks: (() => Fault[] | Promise<Fault[]>)[] = [
    () => recordFaults(record, layout),
    () => confFaults(record, layout),
    () => directoryFaults(layout),
    () => fileFaults(backup, verifier, context),
  ]
  const faults: Fault[] = []
  for (const look of looks) faults.push(...(await orUnreadable(backup, look)))
  if (!record.own_files) context.progress.warn(`${id}: ${confNotCompared}`)
  context.progress.step(`verifying ${id}: the WAL archive`)
  const wal = { segments: 0, bytes: 0 }
  const ofWal = await orUnreadable(backup, async () => {
    const checked = await checkWal(backup, catalog, installations, context)
    Object.assign(wal, { segments: checked.segments, bytes: checked.bytes })
    const inReplay = await walRecordFaults(backup, installations, context).catch((error) => {
      context.signal.throwIfAborted()
      // What cannot be read has been told then.
      if (checked.faults.length > 0) return []
      throw error
    })
    // Of a file that ends a recovery, the words are those of all who tell of that.
    const others = checked.faults.filter(({ file }) => inReplay.every((fault) => fault.file !== file))
    return [...others, ...inReplay]
  })
  checkStillThere(backup) // or what cannot be read would be faults of it
  return {
    faults: distinct([...faults, ...ofWal]),
    segments: wal.segments,
    wal_bytes: wal.bytes,
    pg_verifybackup: verifier.version,
  }
}

/** An image whose bytes are right, and which this machine cannot mount. */
class NotOpened extends PgbkError {}

async function opened(backup: LocalBackup, context: Context): Promise<ReadableBackup> {
  try {
    return await materialise(backup, context)
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError) || error.code === 'damaged') throw error
    const { code, message, hint = '', facts } = error
    throw new NotOpened(code, message, { hint, facts, cause: error })
  }
}

/** An image with one other byte has not to be mounted. */
async function imageFault(backup: LocalBackup, context: Context): Promise<Fault | undefined> {
  try {
    return void (await checkImageIs(backup, context))
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'damaged') throw error
    return { file: 'snapshot.squashfs', problem: error.facts.reason ?? error.message }
  }
}

/** What the proof finds is a fault like others. */
async function proveToo(
  check: Verified,
  backup: LocalBackup,
  catalog: Catalog,
  task: Task,
): Promise<Verified> {
  const known = check.faults.map(({ file, problem }) => `${file}: ${problem}`)
  const proof = await prove(backup, catalog, known, task)
  const found = known.length > 0 ? [] : proof.faults.map((problem) => ({ file: 'proof', problem }))
  return { ...check, faults: [...check.faults, ...found], proof }
}

/** Directories that were backups, as their names tell, and are none for want of a good record; not the remains of a delete. */
function brokenRecords({ root, rejected }: Catalog): Catalog['rejected'] {
  const { backup } = rootLayout(root)
  return rejected.filter(({ name }) => isId(name) && !isOfDelete(layoutOf({ directory: backup(name) })))
}

/** Also one that has come to its end since the catalogue was read. */
function isOfDelete({ directory, marker }: BackupFiles): boolean {
  return existsSync(marker) || lstatSync(directory, { throwIfNoEntry: false }) === undefined
}

/** A file or directory of the backup that cannot be read is a fault of it, as for whoever is to restore it. */
async function orUnreadable(
  { directory, snapshot }: ReadableBackup,
  look: () => Fault[] | Promise<Fault[]>,
): Promise<Fault[]> {
  const nameOf = (path: string) => {
    const inSnapshot = relativeInside(snapshot, path)
    return inSnapshot === undefined ? relativeInside(directory, path) : `snapshot/${inSnapshot}`
  }
  try {
    return await look()
  } catch (error) {
    // A directory that is none, and files that are none or too large.
    if (error instanceof PgbkError && error.code === 'damaged') return [faultOf(nameOf, error)]
    const { path } = (error ?? {}) as { path?: unknown }
    if (systemCode(error) === undefined || typeof path !== 'string') throw error
    const file = nameOf(path)
    if (file === undefined) throw error
    return [{ file, problem: `it cannot be read: ${systemReason(error)}` }]
  }
}

function faultOf(
  nameOf: (path: string) => string | undefined,
  { message, facts: { path = '', reason = message } }: PgbkError,
): Fault {
  const file = nameOf(path)
  return file === undefined ? { file: '.', problem: message } : { file, problem: reason }
}

function distinct(faults: Fault[]): Fault[] {
  const told = faults.map(({ file, problem }) => [`${file}\0${problem}`, { file, problem }] as const)
  return [...new Map(told).values()]
}

/** Where one fault makes all further looks pointless. */
function unread(fault: Fault): Found {
  return { faults: [fault], segments: 0, wal_bytes: 0, pg_verifybackup: null }
}

function verifierFor(record: BackupRecord, installations: Installation[], { progress }: Context): Verifier {
  const major = majorOf(record)
  const verifier = findVerifier(major, installations)
  if (!verifier) {
    throw new PgbkError('programs-missing', `pg_verifybackup ${major} or newer is not installed here`, {
      hint: `It comes with the server programs of PostgreSQL:\n${installHint(major)}`,
    })
  }
  if (!verifier.checksWal)
    progress.warn(
      `the WAL inside the snapshot of ${record.id} is not verified: that needs pg_verifybackup and pg_waldump ${major}`,
    )
  return verifier
}
