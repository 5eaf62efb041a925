import { type Additions, type BackupState, type LocalBackup, storedBackup } from '../../src/catalog/backup.js'
import type { BackupRecord } from '../../src/catalog/record.js'
import type { ListResult } from '../../src/inventory/list.js'
import { createStyle, type Screen } from '../../src/terminal/screen.js'
import { type BackupWindow, snapshotWindow } from '../../src/wal-coverage/window.js'
import { aRecord, readFrom } from '../catalog/samples.js'

/** A screen of a root that was named, a quarter of an hour after the sample backup. */
export function aScreen(changes: Partial<Screen> = {}): Screen {
  const now = new Date('2026-11-20T03:15:00Z')
  const pgbk = (command: string) => `pgbk ${command} -C /srv/pg`
  return { style: createStyle(false), width: undefined, now, quiet: false, pgbk, ...changes }
}

export function theBackup(
  changes: Partial<BackupRecord> = {},
  state: BackupState = 'whole',
  additions?: Additions,
): LocalBackup {
  const record = aRecord(changes)
  return {
    ...storedBackup(readFrom(record), state, additions),
    directory: `/srv/pg/data/backup/${record.id}`,
  }
}

/** What programs get beside the record of a backup that nothing has happened to. */
/** What JSON says of a backup beside its record. */
export const asFound = ({ size_bytes }: { size_bytes: number }) => ({
  form: 'plain',
  state: 'whole',
  own_bytes: size_bytes,
  hold: null,
  proof: null,
})

export function aList(backups: LocalBackup[], changes: Partial<ListResult> = {}): ListResult {
  const windows = new Map(backups.map((backup) => [backup.id, aWindow(backup)]))
  const locationOf = (id: string) => `/srv/pg/data/backup/${id}`
  return {
    root: '/srv/pg',
    backups,
    locationOf,
    windows,
    rejected: [],
    free: 1024 ** 3,
    source: undefined,
    ...changes,
  }
}

/** The window of a backup whose archive ends with its snapshot. */
export function aWindow(backup: LocalBackup, changes: Partial<BackupWindow> = {}): BackupWindow {
  return { ...snapshotWindow(backup, { segments: 1 }), ...changes }
}

/** What a terminal takes for a command: to clear the screen, to colour, to turn the direction of writing. */
export const commandsOfTerminals = '\u001b[2J\u001b[31m\u0007\u009b1m\r\b\u202e'

/** Whether something in a text would be such a command; a line break is none. */
export function hasCommands(text: string): boolean {
  return /\p{Cc}|\p{Bidi_Control}/u.test(text.replaceAll('\n', ''))
}
