import { mkdirSync } from 'node:fs'
import { recordOf, type StoredBackup } from '../catalog/backup.js'
import { backupFiles, rootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { openFileWriter } from '../place/contract/file-writer.js'
import { someOf, walFileOf } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { writeDurably } from '../system/files/durable.js'
import type { BytePath } from '../system/paths/byte-path.js'
import { lastWords } from '../text/cut-to.js'
import {
  filesOf,
  finishedForms,
  isUnfinishedFile,
  packingOf,
  segmentFileOf,
  segmentIn,
} from '../wal-segments/segment-forms.js'
import type { BorrowedRoot } from './borrowed-root.js'
import { checkCacheRoom, intoCacheRoom } from './cache-room.js'

/** What a compressed file has more than what is in it, at most. */
const slack = 1 << 20
const mostOfHistory = 64 << 10

/**
 * Brings the record of a backup here, and its WAL archive, as a backup of the borrowed root.
 * @param backup with its whole record.
 * @returns the bytes of WAL that have come.
 * @throws {PgbkError} `failed` when the place does not send what it lists; `disk-full`; as `Place.transfer`.
 */
export async function fetchRecordAndWal(
  place: Place,
  backup: StoredBackup,
  { layout }: BorrowedRoot,
  { withWal }: { withWal: boolean },
  context: Context,
): Promise<number> {
  const { directory, wal, record } = backupFiles(rootLayout(layout.root).backup(backup.id))
  mkdirSync(wal, { recursive: true, mode: 0o700 })
  const bytes = withWal ? await fetchWal(place, backup, directory, context) : 0
  await writeDurably(record, await place.readRecord(backup))
  return bytes
}

/** A segment may be finished, or compressed, while it is listed: what is missing is looked for once more. */
async function fetchWal(
  place: Place,
  backup: StoredBackup,
  directory: string,
  context: Context,
): Promise<number> {
  const { wal_segment_size: segmentSize } = recordOf(backup)
  let received = 0
  const onBytes = (bytes: number) => {
    received += bytes
    context.progress.bytes(received)
  }
  const writer = openFileWriter(directory, onBytes, (name) =>
    name.endsWith('.history') ? mostOfHistory : segmentSize + slack,
  )
  for (let round = 0; ; round++) {
    const { files, bytes } = await place.files(backup)
    const wanted = files.filter((name) => isWanted(name, writer.names))
    if (wanted.length === 0) break
    context.progress.step(`fetching WAL of ${backup.id}`)
    await checkCacheRoom(directory, bytesOf(wanted, bytes, segmentSize), backup.id)
    const complaints = await intoCacheRoom(directory, backup.id, () => place.transfer(backup, wanted, writer))
    const left = wanted.filter((name) => isWanted(name, writer.names))
    if (left.length === 0) break
    if (round === 2)
      throw new PgbkError(
        'failed',
        `${place.name} does not send ${someOf(left)}${complaints && `: ${lastWords(complaints)}`}`,
      )
  }
  await writer.flushed()
  return received
}

/** What they take at least: how well one was compressed not every place tells. */
function bytesOf(
  names: readonly BytePath[],
  told: ReadonlyMap<BytePath, number> | undefined,
  segmentSize: number,
): number {
  const ofRaw = (name: BytePath) => {
    const segment = segmentFileOf(walFileOf(name) ?? '')
    return segment && packingOf(segment.form) === undefined ? segmentSize : 0
  }
  return names.reduce((sum, name) => sum + (told?.get(name) ?? ofRaw(name)), 0)
}

function isWanted(name: BytePath, here: ReadonlySet<BytePath>): boolean {
  if (!name.startsWith('wal/') || here.has(name)) return false
  const file = walFileOf(name)
  if (file === undefined) return false
  const segment = segmentIn(file)
  if (segment === undefined) return file.endsWith('.history')
  const hasFinished = filesOf(segment, finishedForms).some((one) => here.has(`wal/${one}` as BytePath))
  return !(hasFinished && isUnfinishedFile(name))
}
