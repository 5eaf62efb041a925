import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { isOwnUser } from '../system/process/process-table.js'
import { cutTo } from '../text/cut-to.js'
import { type BackupState, type LocalBackup, type StoredBackup, storedBackup } from './backup.js'
import { readHold } from './hold.js'
import { isId } from './id.js'
import { backupLayout, rootLayout } from './layout.js'
import { readProof } from './proof.js'
import { isInImage, type ReadRecord, readRecord } from './record.js'

/** A directory where a backup was expected, and why it is none. */
export interface NotABackup {
  name: string
  reason: string
  /** It has no record: what is in it is nobody's, or goes with a delete. */
  hasNoRecord?: true
  /** Set for one that is closed to its own owner: its record, if at least that could be read, still says whose cluster this is. */
  closed?: { record: ReadRecord | undefined }
}

export interface Catalog<B extends StoredBackup = LocalBackup> {
  root: string
  /** Newest first. */
  backups: B[]
  rejected: NotABackup[]
}

/**
 * All backups of a root. A root without `data/backup` has none.
 * @throws {PgbkError} `failed` when the directory, or a backup in it that is another user's, may not be read.
 */
export function readCatalog(root: string): Catalog {
  const { backups: directory } = rootLayout(root)
  const catalog: Catalog = { root, backups: [], rejected: [] }
  for (const name of entriesOf(directory)) {
    if (isId(name)) addBackup(catalog, join(directory, name), name)
    else rejectByName(catalog, name)
  }
  const hidden = catalog.rejected.find(({ closed }) => closed !== undefined && closed.record === undefined)
  if (hidden && catalog.backups.length === 0) throw closedTo(join(directory, hidden.name))
  return newestFirst(catalog)
}

/** No file system has names with more characters; a place may tell of one. */
const longestName = 255

/** What is there beside the directories whose names are ids. Hidden files are nobody's business, except partials. */
export function rejectByName({ rejected }: Pick<Catalog, 'rejected'>, given: string): void {
  const name = cutTo(longestName, given)
  if (/^\..*\.partial$/.test(name))
    rejected.push({ name, reason: 'a create that is running or was interrupted' })
  else if (!name.startsWith('.')) rejected.push({ name, reason: 'its name is not a datestamp' })
}

export function newestFirst<B extends StoredBackup>(catalog: Catalog<B>): Catalog<B> {
  catalog.backups.sort((a, b) => (a.id < b.id ? 1 : -1))
  countShared(catalog.backups)
  return catalog
}

/** What a backup shared when it was made it still shares as long as one of those is there; a copy of it elsewhere shares nothing. */
function countShared(backups: StoredBackup[]): void {
  const ids = new Set(backups.filter(({ form }) => form === 'plain').map(({ id }) => id))
  for (const backup of backups) {
    const { shared } = backup.summary
    if (shared?.with.some((id) => ids.has(id)))
      backup.ownBytes = Math.max(0, backup.storedBytes - shared.bytes)
  }
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return []
    throw new PgbkError('failed', `cannot read ${directory}: ${systemCode(cause) ?? messageOf(cause)}`, {
      cause,
      hint: 'Run pgbk as the user whom the backups belong to, or as root.',
    })
  }
}

function addBackup(catalog: Catalog, directory: string, id: string): void {
  let record: ReadRecord | undefined
  try {
    record = readRecord(`${directory}/backup.json`)
    checkId(record, id)
    const additions = {
      hold: readHold(`${directory}/hold.json`),
      proof: readProof(`${directory}/proof.json`, id),
    }
    catalog.backups.push({ ...storedBackup(record, stateOf(directory, record), additions), directory })
  } catch (cause) {
    const closed = isClosed(cause)
    if (closed && !isOwn(directory)) {
      throw closedTo(directory, cause)
    }
    const rejected = rejection(directory, cause)
    catalog.rejected.push({ name: id, ...rejected, ...(closed && { closed: { record } }) })
  }
}

/** Where nothing can be told, an empty list would be a lie. */
function closedTo(directory: string, cause?: unknown): PgbkError {
  return new PgbkError('failed', `cannot read ${directory}: permission denied`, {
    cause,
    hint: 'Run pgbk as the user whom the backups belong to, or as root.',
  })
}

/** Whether somebody may not look there. */
export function isClosed(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(systemCode(error) ?? '')
}

/** What is closed in somebody's own backup is a fault of that backup, which must not hide the others. */
export function isOwn(directory: string): boolean {
  try {
    return isOwnUser(lstatSync(directory).uid)
  } catch {
    return false
  }
}

/** @throws {PgbkError} `damaged` for a record that is another backup's. */
export function checkId({ summary }: ReadRecord, id: string): void {
  if (summary.id !== id) throw new PgbkError('damaged', `its record is that of ${cutTo(100, summary.id)}`)
}

/** Why a directory without a readable record is not a backup. */
export const rejections = {
  noDirectory: { reason: 'not a directory', hasNoRecord: true },
  marked: { reason: 'a delete that is running or was interrupted', hasNoRecord: true },
  noRecord: { reason: 'it has no record (backup.json)', hasNoRecord: true },
} as const

function rejection(directory: string, cause: unknown): Pick<NotABackup, 'reason' | 'hasNoRecord'> {
  if (isClosed(cause)) return { reason: `it cannot be read: ${messageOf(cause)}` }
  if (systemCode(cause) === 'ENOTDIR') return rejections.noDirectory
  if (systemCode(cause) !== 'ENOENT') return { reason: messageOf(cause) }
  const { marker } = backupLayout(directory)
  return existsSync(marker) ? rejections.marked : rejections.noRecord
}

/** A server that starts in the snapshot renames backup_label first of all (src/backend/access/transam/xlog.c); none does in an image. */
export function stateOf(directory: string, record: ReadRecord): BackupState {
  if (isInImage(record)) return 'whole'
  return statSync(`${directory}/snapshot/data/backup_label`, { throwIfNoEntry: false }) ? 'whole' : 'used'
}
