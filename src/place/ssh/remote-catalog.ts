import { type StoredBackup, storedBackup } from '../../catalog/backup.js'
import {
  type Catalog,
  checkId,
  type NotABackup,
  newestFirst,
  rejectByName,
  rejections,
} from '../../catalog/catalog.js'
import { isId } from '../../catalog/id.js'
import { KeptRecords } from '../../catalog/kept-records.js'
import { isInImage, summarize } from '../../catalog/record.js'
import { messageOf, PgbkError } from '../../errors.js'
import { mostBytes } from '../../system/files/read-small.js'
import { checkEntries } from '../contract/listing.js'

/** A catalogue as it came over the wire, with the records' own bytes by id. */
export interface RemoteCatalog {
  catalog: Catalog<StoredBackup>
  records: Map<string, Buffer>
}

/**
 * Reads what the catalogue script printed.
 * @throws {PgbkError} `failed` when the end is missing, or a backup may not be read.
 */
export function parseRemoteCatalog(output: Buffer, token: string, name: string): RemoteCatalog {
  const catalog: Catalog<StoredBackup> = { root: name, backups: [], rejected: [] }
  const records = new Map<string, Buffer>()
  const frames = framesOf(output, `\n${token} `, name)
  const kept = new KeptRecords()
  if (frames.pop()?.toString() !== 'end\n') {
    throw new PgbkError('failed', `the list of the backups of ${name} ended early`)
  }
  // The newest first: where not all records are kept, theirs are.
  for (const frame of frames.reverse()) {
    const lineEnd = frame.indexOf('\n')
    const hasRecord = /^(whole|used) /.test(frame.toString('latin1', 0, 6))
    const line = frame.toString('utf8', 0, hasRecord ? lineEnd : frame.length - 1)
    const [, state = '', entry = ''] = /^(\w+) (.*)$/s.exec(line) ?? []
    if (!isId(entry)) rejectByName(catalog, entry)
    else if (state === 'whole' || state === 'used') {
      const record = frame.subarray(lineEnd + 1)
      records.set(entry, record)
      addRemote(catalog, kept, { id: entry, record, state })
    } else catalog.rejected.push({ name: entry, ...rejectionFor(state, entry, name) })
  }
  catalog.rejected.reverse()
  return { catalog: newestFirst(catalog), records }
}

function addRemote(
  catalog: Catalog<StoredBackup>,
  kept: KeptRecords,
  { id, record, state }: { id: string; record: Buffer; state: 'whole' | 'used' },
): void {
  try {
    if (record.length > mostBytes.record) throw new PgbkError('damaged', oddRecord)
    const json = record.toString()
    const whole = summarize(json)
    checkId(whole, id)
    const read = kept.keep(whole, json)
    catalog.backups.push(storedBackup(read, isInImage(read) ? 'whole' : state))
  } catch (error) {
    catalog.rejected.push({ name: id, reason: messageOf(error) })
  }
}

const oddRecord = 'its record (backup.json) is not a regular file, or is larger than any record'

/** The parts between the separators; what comes before the first one is nobody's. */
function framesOf(output: Buffer, separator: string, source: string): Buffer[] {
  const frames: Buffer[] = []
  for (let at = output.indexOf(separator); at !== -1; ) {
    const next = output.indexOf(separator, at + separator.length)
    frames.push(output.subarray(at + separator.length, next === -1 ? undefined : next))
    checkEntries(frames.length, source)
    at = next
  }
  return frames
}

function rejectionFor(state: string, id: string, source: string): Pick<NotABackup, 'reason' | 'hasNoRecord'> {
  if (state === 'file') return rejections.noDirectory
  if (state === 'marked') return rejections.marked
  if (state === 'odd') return { reason: oddRecord }
  if (state === 'bare') return rejections.noRecord
  throw new PgbkError('failed', `cannot read backup ${id} of ${source}: permission denied`, {
    hint: 'Log in as the user whom the backups belong to: USER@HOST:DIR.',
  })
}
