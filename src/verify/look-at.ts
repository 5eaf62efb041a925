import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, recordOf, snapshotOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { recordFault } from '../catalog/check-cluster.js'
import { encryptedRecord } from '../catalog/entries/encrypted-record.js'
import { type BackupRecord, clearRecordIn, majorOf } from '../catalog/record.js'
import { checkStillThere } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { type Fault, PgbkError } from '../errors.js'
import { findVerifier, type Verifier } from '../postgres/programs/check-backup.js'
import type { Installation } from '../postgres/programs/find.js'
import { installHint } from '../postgres/programs/install-hint.js'
import { confFaults, notCompared as confNotCompared } from '../snapshot/conf/conf-faults.js'
import { encryptedFaults } from './encrypted-faults.js'
import { imageFault, NotOpened, opened, readmeFaults } from './open-image.js'
import { orUnreadable } from './or-unreadable.js'
import { directoryFaults, fileFaults, recordFaults } from './snapshot-faults.js'
import { checkWal } from './wal-faults.js'
import { walRecordFaults } from './wal-record-faults.js'

/** What a look at a backup has found. */
export interface FoundFaults {
  faults: Fault[]
  /** Of the WAL archive; 0 where it was not looked at. */
  segments: number
  wal_bytes: number
  /** The pg_verifybackup that was asked; null where it was not. */
  pg_verifybackup: string | null
}

/**
 * Compares a backup with its manifest and its record, and reads all of its WAL archive. Nothing is changed.
 * @throws {PgbkError} `programs-missing`; `NotOpened`.
 */
export async function lookAt(
  listed: LocalBackup,
  catalog: Catalog,
  installations: Installation[],
  context: Context,
): Promise<FoundFaults> {
  const damage = recordFault(listed)
  if (damage !== undefined) return unread({ file: 'backup.json', problem: damage })
  const { id } = listed
  const clear = clearRecordIn(listed.raw)
  if (clear) {
    context.progress.step(`verifying ${id}: its files as they are encrypted`)
    const faults = await encryptedFaults(listed, context)
    if (faults.length > 0) return unread(...faults)
    const { code, message, hint = '', facts } = encryptedRecord(clear)
    throw new NotOpened(code, message, { hint, facts })
  }
  if (listed.form === 'packed') {
    context.progress.step(`verifying ${id}: the image`)
    const fault = await imageFault(listed, context)
    if (fault) return unread(fault)
  }
  const found = await opened(listed, context)
  if ('fault' in found) return unread(found.fault)
  const { backup } = found
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
    () => readmeFaults(listed),
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

function distinct(faults: Fault[]): Fault[] {
  const told = faults.map(({ file, problem }) => [`${file}\0${problem}`, { file, problem }] as const)
  return [...new Map(told).values()]
}

/** Where one fault makes all further looks pointless. */
export function unread(...faults: Fault[]): FoundFaults {
  return { faults, segments: 0, wal_bytes: 0, pg_verifybackup: null }
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
