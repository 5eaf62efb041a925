import { lstat, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { recordOf, type StoredBackup } from '../catalog/backup.js'
import type { BackupLayout } from '../catalog/layout.js'
import { majorOf } from '../catalog/record.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { manifestName, nameInBackup, walFileOf } from '../place/contract/names.js'
import { findVerifier, verifySnapshot } from '../postgres/programs/check-backup.js'
import { findInstallations } from '../postgres/programs/find.js'
import { toldFaults } from '../snapshot/conf/check-conf.js'
import { confFaults, notCompared } from '../snapshot/conf/conf-faults.js'
import { isAsInManifest } from '../snapshot/manifest/checksum.js'
import { exemptFromManifest, isManifestWhole, manifestFiles } from '../snapshot/manifest/manifest.js'
import { inParallel } from '../system/files/in-parallel.js'
import { type BytePath, bytePath, shownPath } from '../system/paths/byte-path.js'
import { bytesInside } from '../system/paths/inside.js'
import { segmentIn } from '../wal-segments/segment-forms.js'
import { ownSegments } from '../wal-segments/segment-range.js'
import type { FetchedBackup } from './fetch-files.js'
import { verifyImage } from './verify-image.js'

/** A file that is not what it should be. */
interface Fault {
  name: BytePath
  what: string
}

/**
 * Checks what was received: the snapshot against its manifest, by pg_verifybackup where that is installed, or its image; and the sizes of
 * the WAL.
 * Files at fault are removed, so that the next download fetches these, and only these, again.
 * @returns what has checked it: `pg_verifybackup 17.2`, `its manifest`, or `its SHA-256`.
 * @throws {PgbkError} `damaged`.
 */
export async function verifyDownload(
  { backup, layout }: { backup: StoredBackup; layout: BackupLayout },
  fetched: FetchedBackup,
  { settings, context }: Task,
): Promise<string> {
  const { env, signal } = context
  const wal = await faultsOfWal(backup, layout, fetched)
  if (wal.length > 0) throw await damaged(layout, fetched, wal)
  const { packed } = backup.summary
  if (packed) return verifyImage(backup, layout, packed, context)
  const verifier = findVerifier(majorOf(recordOf(backup)), await findInstallations(settings.bin_dir, context))
  if (!verifier) {
    const faults = await faultsOfFiles(layout, fetched, signal)
    if (faults.length > 0) throw await damaged(layout, fetched, faults)
    return 'its manifest'
  }
  try {
    await verifySnapshot(verifier, layout.snapshot, { env, signal })
    return `pg_verifybackup ${verifier.version}`
  } catch (cause) {
    if (!(cause instanceof PgbkError) || cause.code !== 'damaged') throw cause
    throw await damaged(layout, fetched, await faultsOfFiles(layout, fetched, signal), cause)
  }
}

/** The files that differ from the manifest. */
async function faultsOfFiles(
  layout: BackupLayout,
  { linkedTablespaces }: FetchedBackup,
  signal: AbortSignal,
): Promise<Fault[]> {
  const manifest = join(layout.directory, manifestName)
  if (!(await isManifestWhole(manifest))) return [{ name: manifestName, what: 'is damaged' }]
  const faults: Fault[] = []
  await inParallel(manifestFiles(manifest), 2, async (file) => {
    signal.throwIfAborted()
    if (exemptFromManifest.has(file.path)) return
    const name = nameInBackup(file.path, linkedTablespaces)
    try {
      if (await isAsInManifest(bytesInside(layout.directory, name), file, signal)) return
      faults.push({ name, what: 'has another size or checksum than its manifest says' })
    } catch (error) {
      if (error instanceof PgbkError && error.code === 'damaged')
        return void faults.push({ name, what: 'is not a regular file' })
      if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error
      faults.push({ name, what: 'is missing' })
    }
  })
  return faults
}

/** The snapshot's own segments must be there, where they are not in an image, and every complete one must be as long as segments are. */
async function faultsOfWal(
  backup: StoredBackup,
  { directory }: BackupLayout,
  { listing }: FetchedBackup,
): Promise<Fault[]> {
  const record = recordOf(backup)
  const size = record.wal_segment_size
  const faults: Fault[] = []
  const listed = new Set(listing.files)
  for (const segment of backup.form === 'packed' ? [] : ownSegments(record).names()) {
    const name = bytePath(`snapshot/data/pg_wal/${segment}`)
    if (!listed.has(name)) faults.push({ name, what: 'is missing' })
    if (faults.length > mostFaults) break // a record may name any number
  }
  for (const name of listing.files) {
    const file = walFileOf(name) ?? ''
    if (segmentIn(file) !== file) continue
    const found = await lstat(bytesInside(directory, name)).catch(() => undefined)
    if (found && found.size !== size)
      faults.push({ name, what: `has ${found.size} bytes instead of ${size}` })
  }
  return faults
}

const mostFaults = 1000

/** Only what is in the list of what was received is removed, and only as a file. */
async function damaged(
  { directory }: BackupLayout,
  { listing }: FetchedBackup,
  faults: Fault[],
  cause?: PgbkError,
): Promise<PgbkError> {
  const listed = new Set(listing.files)
  for (const { name } of faults.filter((one) => listed.has(one.name)))
    await unlink(bytesInside(directory, name)).catch(unlessGone)
  const named = faults.slice(0, 5).map(({ name, what }) => `${shownPath(name)} ${what}`)
  const more = faults.length > 5 ? `; and ${faults.length - 5} more` : ''
  const message = faults.length > 0 ? `${named.join('; ')}${more}` : messageOf(cause)
  return new PgbkError('damaged', `what was downloaded is not what was backed up: ${message}`, {
    cause,
    hint:
      faults.length > 0
        ? 'The files at fault were removed, and the next download fetches only these again. If they are at fault again, the source itself is damaged: check it there with pg_verifybackup.'
        : 'The source itself is damaged: check it there with pg_verifybackup, or choose another backup.',
  })
}

function unlessGone(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error
}

/**
 * Checks what a downloaded snapshot would be started with: no manifest names these files, and they come from the source. Those at
 * fault are removed, so that the next download fetches them again.
 * @throws {PgbkError} `damaged`.
 */
export async function checkDownloadedConf(
  backup: StoredBackup,
  layout: BackupLayout,
  { listing }: FetchedBackup,
  { progress }: Context,
): Promise<void> {
  const record = recordOf(backup)
  const faults = confFaults(record, layout)
  if (faults.length > 0) {
    const fetched = new Set(listing.files)
    for (const { file } of faults)
      if (fetched.has(bytePath(file))) await rm(join(layout.directory, file), { force: true })
    throw new PgbkError('damaged', `what was downloaded is not what pgbk writes: ${toldFaults(faults)}`, {
      hint: 'The files at fault were removed, and the next download fetches only these again. If they are at fault again, somebody has changed the backup at its source: do not start it there either, and choose another one.',
    })
  }
  if (!record.own_files) progress.warn(`${backup.id}: ${notCompared}`)
}
