import { mostBytes, oddFile, readSmallText } from '../system/files/read-small.js'

/** What backup_label says about the start of a backup. */
export interface BackupLabel {
  startLsn: string
  checkpointLsn: string
  timeline: number
  fromStandby: boolean
}

/** @throws {PgbkError} `damaged` when the file is not as src/backend/access/transam/xlogbackup.c writes it. */
export async function readBackupLabel(path: string): Promise<BackupLabel> {
  const text = readSmallText(path, mostBytes.note)
  const field = (pattern: RegExp) => {
    const value = pattern.exec(text)?.[1]
    if (value === undefined) throw oddFile(path, `is not understood: no ${pattern.source}`)
    return value
  }
  return {
    startLsn: field(/^START WAL LOCATION: (\S+) /m),
    checkpointLsn: field(/^CHECKPOINT LOCATION: (\S+)/m),
    timeline: Number(field(/^START TIMELINE: (\d+)/m)),
    fromStandby: field(/^BACKUP FROM: (\w+)/m) === 'standby',
  }
}
