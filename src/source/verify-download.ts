import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { isAsInManifest } from '../backup/checksum.js'
import { inParallel } from '../backup/in-parallel.js'
import type { BackupLayout } from '../backup/layout.js'
import { exemptFromManifest, isManifestWhole, manifestFiles } from '../backup/manifest.js'
import { majorOf } from '../backup/record.js'
import { segmentsOf } from '../backup/wal-archive.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { findVerifier, verifySnapshot } from '../postgres/check-backup.js'
import { programEnvironment } from '../postgres/connection.js'
import { findInstallations } from '../postgres/find.js'
import type { Fetched } from './fetch-files.js'
import { manifestName, nameInBackup, segmentOf, walFileOf } from './names.js'

/** A file that is not what it should be. */
interface Fault {
  name: string
  what: string
}

/**
 * Checks what was received: the snapshot against its manifest, by pg_verifybackup where that is installed, and the sizes of the WAL.
 * Files at fault are removed, so that the next download fetches these, and only these, again.
 * @returns what has checked it: `pg_verifybackup 17.2`, or `its manifest`.
 * @throws {PgbkError} `damaged`.
 */
export async function verifyDownload(
  backup: Backup,
  layout: BackupLayout,
  fetched: Fetched,
  binDir: string | undefined,
  context: Context,
): Promise<string> {
  const { env, signal } = context
  const wal = await faultsOfWal(backup, layout, fetched)
  if (wal.length > 0) throw await damaged(layout, wal)
  const verifier = findVerifier(majorOf(backup.record), await findInstallations(binDir, context))
  if (!verifier) {
    const faults = await faultsOfFiles(layout, fetched, signal)
    if (faults.length > 0) throw await damaged(layout, faults)
    return 'its manifest'
  }
  try {
    await verifySnapshot(verifier, layout.snapshot, { env: programEnvironment(env), signal })
    return `pg_verifybackup ${verifier.version}`
  } catch (cause) {
    if (!(cause instanceof PgbkError) || cause.code !== 'damaged') throw cause
    throw await damaged(layout, await faultsOfFiles(layout, fetched, signal), cause)
  }
}

/** The files that differ from the manifest. */
async function faultsOfFiles(
  layout: BackupLayout,
  { linkedTablespaces }: Fetched,
  signal: AbortSignal,
): Promise<Fault[]> {
  const manifest = join(layout.directory, manifestName)
  if (!(await isManifestWhole(manifest))) return [{ name: manifestName, what: 'is damaged' }]
  const files: Parameters<typeof isAsInManifest>[1][] = []
  for await (const file of manifestFiles(manifest)) if (!exemptFromManifest.has(file.path)) files.push(file)
  const faults: Fault[] = []
  await inParallel(files, 2, async (file) => {
    const name = nameInBackup(file.path, linkedTablespaces)
    try {
      if (await isAsInManifest(join(layout.directory, name), file, signal)) return
      faults.push({ name, what: 'has another size or checksum than its manifest says' })
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error
      faults.push({ name, what: 'is missing' })
    }
  })
  return faults
}

/** The snapshot's own segments must be there, and every complete one must be as long as segments are. */
async function faultsOfWal(
  { record }: Backup,
  { directory }: BackupLayout,
  { listing }: Fetched,
): Promise<Fault[]> {
  const { timeline, start_lsn: startLsn, stop_lsn: endLsn, wal_segment_size: size } = record
  const faults: Fault[] = []
  for (const segment of segmentsOf({ timeline, startLsn, endLsn }, size)) {
    const name = `snapshot/data/pg_wal/${segment}`
    if (!listing.files.includes(name)) faults.push({ name, what: 'is missing' })
  }
  for (const name of listing.files) {
    const file = walFileOf(name) ?? ''
    if (segmentOf(file) !== file) continue
    const found = await lstat(join(directory, name)).catch(() => undefined)
    if (found && found.size !== size)
      faults.push({ name, what: `has ${found.size} bytes instead of ${size}` })
  }
  return faults
}

async function damaged(layout: BackupLayout, faults: Fault[], cause?: PgbkError): Promise<PgbkError> {
  for (const { name } of faults) await rm(join(layout.directory, name), { force: true })
  const named = faults.slice(0, 5).map(({ name, what }) => `${name} ${what}`)
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
