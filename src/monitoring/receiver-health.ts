import type { SlotFacts } from '../postgres/server/wal-server.js'
import { formatBytes } from '../text/format.js'
import { isReceiverAlive, type ReceiverState } from '../wal-archive/receiver-state.js'

/** `ended`: somebody told it to end. `lost`: it is gone, and nobody did. */
export type ReceiverHealth = 'none' | 'alive' | 'ended' | 'lost'

/** @param state undefined where no receiver has run. */
export function receiverHealth(state: ReceiverState | undefined, now: Date): ReceiverHealth {
  if (!state) return 'none'
  if (state.status === 'ended') return 'ended'
  return isReceiverAlive(state, now) ? 'alive' : 'lost'
}

/** `lost`: the server has removed WAL that it was to keep. `at-risk`: it will at its next checkpoint. `unknown`: it was not asked. */
export type SlotHealth = 'unknown' | 'missing' | 'in-use' | 'unused' | 'at-risk' | 'lost'

/** @param slot null where the server has none; undefined where it was not asked. */
export function slotHealth(slot: SlotFacts | null | undefined): SlotHealth {
  if (slot === undefined) return 'unknown'
  if (slot === null) return 'missing'
  if (slot.wal_status === 'lost') return 'lost'
  if (slot.wal_status === 'unreserved') return 'at-risk'
  return slot.active ? 'in-use' : 'unused'
}

/** What is wrong with a slot that does not keep, or not for long, what it is to keep. */
export function slotProblem(name: string, slot: SlotFacts): string | undefined {
  const health = slotHealth(slot)
  if (health === 'lost') return `the slot ${name} is lost: the server has removed WAL that it was to keep`
  if (health === 'at-risk')
    return `the slot ${name} is about to be lost: it holds more than max_slot_wal_keep_size`
  return undefined
}

export function keptForSlot({ retained_bytes }: SlotFacts): string {
  return `the server keeps ${formatBytes(retained_bytes ?? 0)} of WAL for it`
}

/** What is wrong with a server's limit for its slots. @param limit MB, or -1 for none. */
export function slotLimitProblem(limit: number): string | undefined {
  return limit === -1
    ? 'max_slot_wal_keep_size is -1 on the server: while nobody receives, WAL fills its disk without limit'
    : undefined
}
