import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { RootLayout } from '../catalog/layout.js'
import { isDiskFull } from '../errors.js'
import { v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'
import { isAlive, pidSpace } from '../system/process/process-table.js'

const text = v.nullable(v.string())

const schema = v.object({
  pid: v.number(),
  /** What tells its process from a later one with the same pid. */
  start_time: text,
  /** Where its pid means something. */
  pid_space: text,
  since: v.string(),
  updated_at: v.string(),
  /** `receiving`, or why it is not. */
  status: v.picklist([
    'receiving',
    'handing-over',
    'waiting-for-backup',
    'waiting-for-server',
    'gap',
    'disk-full',
    'ended',
  ]),
  problem: text,
  system_identifier: text,
  slot: v.string(),
  host: text,
  port: v.nullable(v.number()),
  /** The backup into whose archive it writes. */
  backup: text,
  /** The backup whose archive gets what the older one has, while the status is `handing-over`. */
  handing_over_to: v.optional(text, null),
  timeline: v.nullable(v.number()),
  received_lsn: text,
  server_lsn: text,
  /** By the server's clock: everything that was on its disk at this time has been received. */
  caught_up_at: text,
  /** Up to which position that was. */
  caught_up_lsn: text,
})

/** What a receiver last said about itself; docs/format.md explains every field. */
export type ReceiverState = v.InferOutput<typeof schema>

/** Undefined when no receiver has ever run here, or what it wrote is not understood. */
export function readReceiverState({ receiverState }: RootLayout): ReceiverState | undefined {
  return readNote(schema, receiverState)
}

/**
 * Replaces the state in one step, which never leaves half of it. On a full disk the room of the one before has to do: that the disk is
 * full is what others must know then.
 */
export async function writeReceiverState({ receiverState }: RootLayout, state: ReceiverState): Promise<void> {
  const text = `${JSON.stringify(state, undefined, 2)}\n`
  try {
    await replaceDurably(receiverState, text)
  } catch (error) {
    if (!isDiskFull(error)) throw error
    await overwrite(receiverState, text)
  }
}

async function overwrite(path: string, text: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    await file.write(text, 0)
    await file.truncate(Buffer.byteLength(text))
  } finally {
    await file.close()
  }
}

/** The state of a receiver that is at work now. */
export function readAliveReceiver(root: RootLayout, now: Date): ReceiverState | undefined {
  const state = readReceiverState(root)
  return state && isReceiverAlive(state, now) ? state : undefined
}

/** Of another container nothing is known but how long ago it has written: while it waits for its server, once a minute. */
const freshForMs = 90_000

export function isReceiverAlive(state: ReceiverState, now: Date): boolean {
  if (state.status === 'ended') return false
  if (state.pid_space !== null && state.pid_space !== pidSpace())
    return now.getTime() - Date.parse(state.updated_at) < freshForMs
  return isAlive(state.pid, state.start_time ?? undefined)
}

/** One that is down for a while goes on where it was, and then has more. */
export function isInService(state: ReceiverState, now: Date): boolean {
  return isReceiverAlive(state, now) || now.getTime() - Date.parse(state.updated_at) < 7 * 86_400_000
}
