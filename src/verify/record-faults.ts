import { join } from 'node:path'
import type { BackupLayout } from '../catalog/layout.js'
import { type BackupRecord, majorOf } from '../catalog/record.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { readSystemIdentifiers } from '../postgres/local/control-file.js'
import { readBackupLabel } from '../snapshot/backup-label.js'
import { readWalRange } from '../snapshot/manifest/manifest.js'
import { mostBytes, readSmallText } from '../system/files/read-small.js'
import type { Fault } from './fault.js'

/** Where the record and the files of the snapshot contradict each other. */
export async function recordFaults(record: BackupRecord, layout: BackupLayout): Promise<Fault[]> {
  const { data } = layout
  const found = await Promise.all([
    compare('snapshot/data/PG_VERSION', async () => {
      const version = readSmallText(join(data, 'PG_VERSION'), mostBytes.note).trim()
      return [['major version', String(majorOf(record)), version]]
    }),
    compare('snapshot/data/backup_label', async () => {
      const label = await readBackupLabel(join(data, 'backup_label'))
      return [
        ['start_lsn', record.start_lsn, label.startLsn],
        ['checkpoint_lsn', record.checkpoint_lsn, label.checkpointLsn],
      ]
    }),
    compare('snapshot/data/backup_manifest', async () => {
      const range = await readWalRange(join(data, 'backup_manifest'))
      return [
        ['stop_lsn', record.stop_lsn, range.endLsn],
        ['timeline', String(record.timeline), String(range.timeline)],
      ]
    }),
    compare('snapshot/data/global/pg_control', async () => {
      const identifiers = await readSystemIdentifiers(data)
      const { system_identifier } = record.server
      const same = identifiers.includes(system_identifier)
      return [['system_identifier', system_identifier, same ? system_identifier : (identifiers[0] ?? '')]]
    }),
  ])
  return found.flat()
}

/** A field of the record, what it says, and what the file says. */
type Comparison = [field: string, recorded: string, found: string]

/** A file that is missing is pg_verifybackup's to tell. */
async function compare(file: string, read: () => Promise<Comparison[]>): Promise<Fault[]> {
  try {
    return (await read())
      .filter(([, recorded, found]) => recorded !== found)
      .map(([field, recorded, found]) => ({
        file: 'backup.json',
        problem: `its ${field} is ${recorded}, but ${file} says ${found}`,
      }))
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return []
    if (error instanceof SyntaxError || error instanceof RangeError)
      return [{ file, problem: messageOf(error) }]
    if (error instanceof PgbkError && error.code === 'damaged') return [{ file, problem: error.message }]
    throw error
  }
}
