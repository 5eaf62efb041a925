import type { BackupRecord } from './record.js'

type RecordedDatabase = BackupRecord['databases'][number]

/** Who can connect to a database; older records do not tell. */
export type DatabaseAccess = NonNullable<RecordedDatabase['access']>

/** Whether its superuser can connect to a database; where the record does not tell, perhaps. */
export function canBeOpened({ access }: Pick<RecordedDatabase, 'access'>): boolean {
  return access !== 'nobody' && access !== 'invalid'
}

/** Whether every program can be given its name: that of the others is not UTF-8. */
export function isSayable({ name_bytes }: Pick<RecordedDatabase, 'name_bytes'>): boolean {
  return name_bytes === undefined
}

/**
 * The name of the database that is most likely meant when none is named: the largest that is not a template, of those that are open to
 * more than superusers if there are any.
 */
export function largestDatabase({ databases }: Pick<BackupRecord, 'databases'>): string {
  const [largest] = databases
    .filter(
      (database) => canBeOpened(database) && isSayable(database) && !/^template[01]$/.test(database.name),
    )
    .map(({ name, access, size_bytes }) => ({ name, isOpen: access !== 'superusers', size: size_bytes ?? 0 }))
    .sort((a, b) => Number(b.isOpen) - Number(a.isOpen) || b.size - a.size)
  return largest?.name ?? 'template1'
}
