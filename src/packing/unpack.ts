import { recordOf, snapshotOf, unpackedRecord } from '../catalog/backup.js'
import { majorOf } from '../catalog/record.js'
import type { Task } from '../config/load.js'
import { checkImageIs } from '../forms/check-image.js'
import { unpackImage } from '../forms/make-image.js'
import { findInstallations } from '../postgres/programs/find.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'
import { syncTree } from '../system/files/durable.js'
import { checkCopyOfSnapshot, neededVerifier } from './check-copy-of-snapshot.js'
import { checkRoom } from './check-room.js'
import { checkUnpackedWal } from './check-unpacked-wal.js'
import { type ChangedForm, changed } from './pack.js'

/**
 * Unpacks a packed backup: its snapshot becomes a directory, which pg_verifybackup has read all of before the image goes. A plain
 * backup stays so, and that is said.
 * @throws {PgbkError} as `pack`.
 */
export async function unpack(id: string, task: Task): Promise<ChangedForm> {
  return changed(id, 'unpack', task, async (backup, aside, own) => {
    const record = recordOf(backup)
    const verifier = neededVerifier(majorOf(record), await findInstallations(task.settings.bin_dir, own))
    own.progress.step(`reading the image of ${backup.id}`)
    const image = await checkImageIs(backup, own)
    const bytes = backup.summary.packed?.snapshot_bytes ?? 0
    await checkRoom({ name: 'the unpacked snapshot', bytes }, aside.directory, 'The image')
    own.progress.step(`unpacking ${backup.id}`)
    await unpackImage(image.file, aside.snapshot, own)
    await syncTree(aside.snapshot)
    own.progress.step(`verifying ${backup.id}`)
    const copy = { ...backup, snapshot: aside.snapshot }
    const checksums = record.own_files ?? pgbkFileChecksums(snapshotOf(copy))
    await checkCopyOfSnapshot(copy, checksums, verifier, own)
    if (!verifier.checksWal) await checkUnpackedWal(image.file, copy, aside.directory, own)
    return unpackedRecord(backup)
  })
}
