import { v } from '../../schema.js'
import { tryToWriteNote } from '../../system/files/durable.js'
import { readNote } from '../../system/files/read-note.js'
import { isoTime } from '../entries/record-fields.js'
import type { RootLayout } from '../layout.js'

const sent = v.object({
  /** All WAL that was in the archives at this time is in the store, as far as that has the backups. */
  at: v.nullable(isoTime),
  /** Why it could not be sent since, if it could not. */
  error: v.nullable(v.string()),
  /** Whether that comes as soon as the store is there again; where not, nobody waits for it. */
  waits: v.optional(v.boolean(), true),
})

const schema = v.object({ format: v.literal(1), stores: v.record(v.string(), sent) })

/** What the receiver has sent of the WAL to a store. */
export type WalSent = v.InferOutput<typeof sent>

/** .wal-stores.json, by the names of stores; only the receiver writes it. */
export function readWalSent({ walStores }: RootLayout): Readonly<Record<string, WalSent>> {
  return readNote(schema, walStores)?.stores ?? {}
}

export function writeWalSent(root: RootLayout, name: string, now: WalSent): void {
  const stores = { ...readWalSent(root), [name]: now }
  tryToWriteNote(root.walStores, { format: 1, stores })
}
