import { join } from 'node:path'
import { v } from '../schema.js'
import type { Backup } from './catalog.js'
import { replaceDurably } from './durable.js'
import { readNote } from './read-note.js'
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
export function receivedFor(
  { id }: Pick<Backup, 'id'>,
  receiver: ReceiverState | undefined,
): CaughtUp | undefined {
  if (receiver?.backup !== id) return undefined
  const { caught_up_at: at, caught_up_lsn: lsn, timeline } = receiver
  return at === null || lsn === null || timeline === null ? undefined : { at, lsn, timeline }
}

/** When a receiver that is at work now had everything for this backup; undefined where there is none. */
export function caughtUpNow(
  backup: Backup,
  receiver: ReceiverState | undefined,
  now: Date,
): CaughtUp | undefined {
  return receiver && isReceiverAlive(receiver, now) ? receivedFor(backup, receiver) : undefined
}

/** The same, or when one had everything that then went on with a newer backup. */
export function caughtUp(
  backup: Backup,
  receiver: ReceiverState | undefined,
  now: Date,
): CaughtUp | undefined {
  return caughtUpNow(backup, receiver, now) ?? readCaughtUp(backup.layout.wal)
}

/** On disk when this returns. */
export async function noteCaughtUp(archive: string, known: CaughtUp): Promise<void> {
  await replaceDurably(join(archive, fileName), `${JSON.stringify(known)}\n`)
}

/** Undefined where nothing is noted, or it is not understood. */
export function readCaughtUp(archive: string): CaughtUp | undefined {
  return readNote(schema, join(archive, fileName))
}
