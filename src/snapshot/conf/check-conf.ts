import type { Backup } from '../../catalog/catalog.js'
import { PgbkError } from '../../errors.js'
import { type ConfFault, startFaults } from './conf-faults.js'

const mostNamed = 5

/** @throws {PgbkError} `damaged`, naming file and line, when a backup has a configuration that pgbk would not have written. */
export function checkConf(backup: Pick<Backup, 'id' | 'layout' | 'state'>): void {
  const faults = startFaults(backup)
  if (faults.length === 0) return
  throw new PgbkError('damaged', `backup ${backup.id} is not started as it is: ${toldFaults(faults)}`, {
    hint: `Who has changed ${backup.layout.snapshot}? What is in these files and directories is what pgbk has written. Take out what is named, put a missing line back, or copy or download the backup again; a run gets other settings with -c name=value.`,
  })
}

/** The first faults in one line. */
export function toldFaults(faults: readonly ConfFault[]): string {
  const named = faults.slice(0, mostNamed).map(({ file, problem }) => `${file}: ${problem}`)
  const more = faults.length > mostNamed ? `; and ${faults.length - mostNamed} more` : ''
  return named.join('; ') + more
}
