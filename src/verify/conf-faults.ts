import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLayout } from '../backup/layout.js'
import { ownFileChecksums } from '../backup/own-files.js'
import type { BackupRecord } from '../backup/record.js'
import type { Fault } from './fault.js'

/** Whether all that opens the snapshot is there, as it was made, and nothing that would override it: pg_verifybackup exempts these files. */
export function confFaults({ config_files, own_files }: BackupRecord, layout: BackupLayout): Fault[] {
  const { snapshot } = layout
  const needed = [
    'README',
    'conf/postgresql.conf',
    'conf/pg_hba.conf',
    'conf/pg_ident.conf',
    ...config_files.map(({ copy }) => `conf/original/${copy}`),
  ]
  const faults = needed.flatMap((file) => neededFault(snapshot, file))
  if (faults.length === 0 && own_files) faults.push(...changedFaults(own_files, layout))
  const autoConf = lstatSync(join(snapshot, 'data/postgresql.auto.conf'), { throwIfNoEntry: false })
  if (autoConf && autoConf.size > 0)
    faults.push(fault('data/postgresql.auto.conf', 'it is not empty, and would override conf/'))
  for (const name of ['standby.signal', 'recovery.signal']) {
    if (lstatSync(join(snapshot, 'data', name), { throwIfNoEntry: false }))
      faults.push(fault(`data/${name}`, 'it does not belong here, and would change what the snapshot does'))
  }
  return faults
}

/** A snapshot is used up where it lies, or not at all: nobody has to change what it starts with. */
function changedFaults(recorded: Record<string, string>, layout: BackupLayout): Fault[] {
  const found = ownFileChecksums(layout)
  return [...new Set([...Object.keys(recorded), ...Object.keys(found)])].sort().flatMap((file) => {
    if (recorded[file] === found[file]) return []
    if (found[file] === undefined) return [fault(file, 'it is missing')]
    return [
      fault(
        file,
        recorded[file] === undefined ? 'it is not of the backup' : 'it was changed since it was made',
      ),
    ]
  })
}

function neededFault(snapshot: string, file: string): Fault[] {
  const found = lstatSync(join(snapshot, file), { throwIfNoEntry: false })
  if (!found) return [fault(file, 'it is missing')]
  if (!found.isFile()) return [fault(file, 'it is not a file')]
  // The server's own may well be empty.
  return found.size === 0 && !file.startsWith('conf/original/') ? [fault(file, 'it is empty')] : []
}

function fault(file: string, problem: string): Fault {
  return { file: `snapshot/${file}`, problem }
}
