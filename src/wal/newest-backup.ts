import { aBackup, type Backup, stateOf } from '../backup/catalog.js'
import { isId } from '../backup/id.js'
import type { RootLayout } from '../backup/layout.js'
import { readRecord } from '../backup/record.js'
import { PgbkError, systemCode } from '../errors.js'
import { namesIn } from '../names-in.js'

/**
 * The newest whole backup, without reading the records of all the others: a receiver asks every second.
 * @param accepts backups of other clusters, or just one id, are passed over.
 */
export function newestBackup(
  root: RootLayout,
  accepts: (backup: Backup) => boolean = () => true,
): Backup | undefined {
  const ids = namesIn(root.backups).filter(isId).sort().reverse()
  for (const id of ids) {
    const backup = backupAt(root, id)
    if (backup?.state === 'whole' && accepts(backup)) return backup
  }
  return undefined
}

/** A backup by its id; undefined when there is none, or it is being deleted or cannot be read. */
export function backupAt(root: RootLayout, id: string): Backup | undefined {
  const directory = root.backup(id)
  try {
    return aBackup(directory, readRecord(`${directory}/backup.json`), stateOf(directory))
  } catch (error) {
    if (error instanceof PgbkError || ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? ''))
      return undefined
    throw error
  }
}

/** The directory of the backup before this one, whose last raw segments may still have to be compressed. */
export function previousArchives(root: RootLayout, { id }: Backup): string[] {
  const before = namesIn(root.backups).filter((name) => isId(name) && name < id)
  const [last] = before.sort().reverse()
  return last === undefined ? [] : [root.backup(last)]
}
