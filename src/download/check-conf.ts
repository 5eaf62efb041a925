import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { recordOf, type StoredBackup } from '../catalog/backup.js'
import type { BackupLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { toldFaults } from '../snapshot/conf/check-conf.js'
import { confFaults, notCompared } from '../snapshot/conf/conf-faults.js'
import { bytePath } from '../system/paths/byte-path.js'
import type { FetchedBackup } from './fetch-files.js'

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
