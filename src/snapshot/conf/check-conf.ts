import { type ReadableBackup, snapshotOf } from '../../catalog/backup.js'
import { type Fault, PgbkError } from '../../errors.js'
import { startFaults } from './conf-faults.js'

const mostNamed = 5

/** @throws {PgbkError} `damaged`, naming file and line, when a backup has a configuration that pgbk would not have written. */
export function checkConf(backup: Pick<ReadableBackup, 'id' | 'snapshot' | 'state'>): void {
  const faults = startFaults(backup)
  if (faults.length === 0) return
  throw new PgbkError('damaged', `backup ${backup.id} cannot be started as it is: ${toldFaults(faults)}`, {
    hint: `These files and directories of ${snapshotOf(backup).snapshot} may only have what pgbk has written. Remove what is named, put missing lines back, or copy or download the backup again; -c name=value gives a run other settings.`,
  })
}

/** The first faults in one line. */
export function toldFaults(faults: readonly Fault[]): string {
  const named = faults.slice(0, mostNamed).map(({ file, problem }) => `${file}: ${problem}`)
  const more = faults.length > mostNamed ? `; and ${faults.length - mostNamed} more` : ''
  return named.join('; ') + more
}
