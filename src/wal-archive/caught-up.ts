import { basename, dirname, join } from 'node:path'
import type { LocalBackup, StoredBackup } from '../catalog/backup.js'
import { v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'
import { lastSegmentBefore } from '../wal-segments/lsn.js'
import { type ArchivedWal, lastOf } from './archived-wal.js'
import { isReceiverAlive, type ReceiverState } from './receiver-state.js'

const schema = v.object({
  at: v.pipe(v.string(), v.isoTimestamp()),
  lsn: v.pipe(v.string(), v.regex(/^[0-9A-F]+\/[0-9A-F]+$/)),
  timeline: v.number(),
})

/** All that was on the server's disk at a time, ISO 8601, and up to which position that was. */
export type CaughtUp = v.InferOutput<typeof schema>

/** In the WAL archive of a backup that another has taken over from: where the server was idle, no commit tells how far it goes. */
const fileName = '.pgbk-caught-up.json'

/** What a receiver has received for a backup, by its own word. */
export function caughtUpFor(
  { id }: Pick<LocalBackup, 'id'>,
  receiver: ReceiverState | undefined,
): CaughtUp | undefined {
  if (receiver?.backup !== id) return undefined
  const { caught_up_at: at, caught_up_lsn: lsn, timeline } = receiver
  return at === null || lsn === null || timeline === null ? undefined : { at, lsn, timeline }
}

/** When a receiver that is at work now had everything for this backup; undefined where there is none. */
export function caughtUpNow(
  backup: Pick<StoredBackup, 'id'>,
  receiver: ReceiverState | undefined,
  now: Date,
): CaughtUp | undefined {
  return receiver && isReceiverAlive(receiver, now) ? caughtUpFor(backup, receiver) : undefined
}

/** When a receiver that is at work now had everything that a chain leads to; undefined where none writes into its archives. */
export function chainCaughtUpNow(
  wal: ArchivedWal,
  receiver: ReceiverState | undefined,
  now: Date,
): CaughtUp | undefined {
  const ids = archivesOf(wal).map((archive) => basename(dirname(archive)))
  const known = ids.map((id) => caughtUpNow({ id }, receiver, now)).find((one) => one !== undefined)
  return known && hasAllOf(wal, known) ? known : undefined
}

/** When one had everything that then went on with a newer backup: the newest such time of which a chain has all. */
export function chainCaughtUpBefore(wal: ArchivedWal): CaughtUp | undefined {
  const known = archivesOf(wal).flatMap((archive) => readCaughtUp(archive) ?? [])
  return known
    .filter((one) => hasAllOf(wal, one))
    .reduce<CaughtUp | undefined>((newest, one) => (newest && newest.at >= one.at ? newest : one), undefined)
}

/** The one or the other. */
export function caughtUp(
  wal: ArchivedWal,
  receiver: ReceiverState | undefined,
  now: Date,
): CaughtUp | undefined {
  return chainCaughtUpNow(wal, receiver, now) ?? chainCaughtUpBefore(wal)
}

/** Those that can tell how far everything goes: the archive at the chain's end, and the one before, whose receiver went on there. */
function archivesOf({ directory, runs }: ArchivedWal): string[] {
  const last = runs.at(-1)?.archive.directory ?? directory
  const before = runs.findLast(({ archive }) => archive.directory !== last)?.archive.directory ?? directory
  return before === last ? [last] : [before, last]
}

/** Whether a chain has what was received by then. */
function hasAllOf(wal: ArchivedWal, { lsn, timeline }: CaughtUp): boolean {
  const last = lastOf(wal)
  const reached = lastSegmentBefore(lsn, wal.segmentSize)
  return wal.gap === undefined && last !== undefined && last.segment >= reached && last.timeline === timeline
}

/** On disk when this returns. */
export async function noteCaughtUp(archive: string, known: CaughtUp): Promise<void> {
  await replaceDurably(join(archive, fileName), `${JSON.stringify(known)}\n`)
}

/** Undefined where nothing is noted, or it is not understood. */
export function readCaughtUp(archive: string): CaughtUp | undefined {
  return readNote(schema, join(archive, fileName))
}
