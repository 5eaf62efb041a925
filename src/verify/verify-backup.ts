import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import type { BackupLayout } from '../catalog/layout.js'
import { type BackupRecord, majorOf } from '../catalog/record.js'
import { checkStillThere, unlessRemoved } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { PgbkError, systemCode, systemReason } from '../errors.js'
import { findVerifier, snapshotFaults, type Verifier } from '../postgres/programs/check-backup.js'
import type { Installation } from '../postgres/programs/find.js'
import { installHint } from '../postgres/programs/install-hint.js'
import { confFaults, notCompared as confNotCompared } from '../snapshot/conf/conf-faults.js'
import { relativeInside } from '../system/paths/inside.js'
import { directoryFaults } from './directory-faults.js'
import type { Fault } from './fault.js'
import { recordFaults } from './record-faults.js'
import { strangeFaults, tablespaceFaults } from './tablespace-faults.js'
import { checkWal } from './wal-faults.js'
import { walRecordFaults } from './wal-record-faults.js'

/** What a check of one backup has found. */
export interface CheckedBackup {
  id: string
  faults: Fault[]
  /** Of the WAL archive; 0 where it was not looked at. */
  segments: number
  wal_bytes: number
  /** The pg_verifybackup that was asked; null where it was not. */
  pg_verifybackup: string | null
  duration_ms: number
}

/**
 * Compares a backup with its manifest and its record, and reads all of its WAL archive. Nothing is changed.
 * @throws {PgbkError} `programs-missing` without a pg_verifybackup that knows this major; `not-found` when it is removed meanwhile.
 */
export async function verifyBackup(
  backup: LocalBackup,
  installations: Installation[],
  context: Context,
): Promise<CheckedBackup> {
  const startedAt = context.now().getTime()
  const found = await unlessRemoved(backup, context, () => lookAt(backup, installations, context))
  checkStillThere(backup)
  return { id: backup.id, ...found, duration_ms: Math.max(0, context.now().getTime() - startedAt) }
}

type Found = Omit<CheckedBackup, 'id' | 'duration_ms'>

async function lookAt(backup: LocalBackup, installations: Installation[], context: Context): Promise<Found> {
  const { id } = backup
  const layout = layoutOf(backup)
  const record = readWhole(backup)
  if (record instanceof PgbkError) return unread({ file: 'backup.json', problem: record.message })
  if (!existsSync(layout.data)) return unread({ file: 'snapshot/data', problem: 'it is missing' })
  if (backup.state === 'used' && existsSync(`${layout.data}/backup_label.old`)) {
    const problem = 'a server was started inside it: it is no longer what was backed up'
    return unread({ file: 'snapshot', problem })
  }
  const verifier = verifierFor(record, installations, context)
  context.progress.step(`verifying ${id}: the snapshot`)
  const looks: (() => Fault[] | Promise<Fault[]>)[] = [
    () => recordFaults(record, layout),
    () => confFaults(record, layout),
    () => directoryFaults(layout),
    async () => {
      const links = [...tablespaceFaults(record, layout), ...(await strangeFaults(record, layout, context))]
      const leadsOut = links.some((link) => link.leadsOut)
      return [...links, ...(leadsOut ? notCompared : await manifestFaults(backup, verifier, context))]
    },
  ]
  const faults: Fault[] = []
  for (const look of looks) faults.push(...(await orUnreadable(layout, look)))
  if (!record.own_files) context.progress.warn(`${id}: ${confNotCompared}`)
  context.progress.step(`verifying ${id}: the WAL archive`)
  const wal = { segments: 0, bytes: 0 }
  const ofWal = await orUnreadable(layout, async () => {
    const checked = await checkWal(record, layout, context)
    Object.assign(wal, { segments: checked.segments, bytes: checked.bytes })
    const inReplay = await walRecordFaults(record, layout, installations, context).catch((error) => {
      context.signal.throwIfAborted()
      // What cannot be read has been told then.
      if (checked.faults.length > 0) return []
      throw error
    })
    // Of a file that ends a recovery, the words are those of all who tell of that.
    const others = checked.faults.filter(({ file }) => inReplay.every((fault) => fault.file !== file))
    return [...others, ...inReplay]
  })
  return {
    faults: distinct([...faults, ...ofWal]),
    segments: wal.segments,
    wal_bytes: wal.bytes,
    pg_verifybackup: verifier.version,
  }
}

/** A file or directory of the backup that cannot be read is a fault of it, as for whoever is to restore it. */
async function orUnreadable(
  { directory }: BackupLayout,
  look: () => Fault[] | Promise<Fault[]>,
): Promise<Fault[]> {
  try {
    return await look()
  } catch (error) {
    // A directory that is none, and files that are none or too large.
    if (error instanceof PgbkError && error.code === 'damaged') return [faultOf(directory, error)]
    const { path } = (error ?? {}) as { path?: unknown }
    if (systemCode(error) === undefined || typeof path !== 'string') throw error
    const file = relative(directory, path)
    if (file.startsWith('..')) throw error
    return [{ file, problem: `it cannot be read: ${systemReason(error)}` }]
  }
}

function faultOf(directory: string, { message, facts: { path = '', reason = message } }: PgbkError): Fault {
  const file = relativeInside(directory, path)
  return file === undefined ? { file: '.', problem: message } : { file, problem: reason }
}

function distinct(faults: Fault[]): Fault[] {
  const told = faults.map(({ file, problem }) => [`${file}\0${problem}`, { file, problem }] as const)
  return [...new Map(told).values()]
}

/** pg_verifybackup would follow the link, and read whatever is there, perhaps without end. */
const notCompared: Fault[] = [
  {
    file: 'snapshot/data/backup_manifest',
    problem: 'the files were not compared with it: a link leads elsewhere',
  },
]

function readWhole(backup: LocalBackup): BackupRecord | PgbkError {
  try {
    return recordOf(backup)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return error
    throw error
  }
}

/** Where one fault makes all further looks pointless. */
export function unread(fault: Fault): Found {
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

async function manifestFaults(backup: LocalBackup, verifier: Verifier, context: Context): Promise<Fault[]> {
  const { env, signal, progress } = context
  const faults = await snapshotFaults(verifier, layoutOf(backup).snapshot, {
    env,
    signal,
    onBytes: progress.bytes,
  })
  return faults.map(({ file, problem }) => ({ file: `snapshot/${file}`, problem }))
}
