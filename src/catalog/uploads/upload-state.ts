import { v } from '../../schema.js'
import { replaceDurably } from '../../system/files/durable.js'
import { readNote } from '../../system/files/read-note.js'
import { mostBytes } from '../../system/files/read-small.js'
import { isoTime, text } from '../entries/record-fields.js'
import type { RootLayout } from '../layout.js'

const store = v.object({
  /** The newest backup of which all has come. */
  last: v.nullable(v.object({ backup: text, finished_at: isoTime })),
  /** Backups of this root that have come there: whose credentials may only write cannot look. */
  sent: v.optional(v.array(text), []),
  /** For whom those of them are encrypted that are, by the id. */
  encrypted_for: v.optional(v.record(text, v.array(text)), {}),
  /** Backups that were to be sent and were not, and why; null while nobody knows. */
  pending: v.array(v.object({ backup: text, since: isoTime, error: v.nullable(text) })),
})

const schema = v.object({ format: v.literal(1), stores: v.record(v.string(), store) })

/** How the uploads to a store of the configuration have gone. */
export type StoreState = v.InferOutput<typeof store>

/** .uploads.json: the same for all stores, by name; docs/format.md explains every field. */
export type UploadState = v.InferOutput<typeof schema>

export function readUploadState({ uploads }: RootLayout): UploadState {
  return readNote(schema, uploads, mostBytes.record) ?? { format: 1, stores: {} }
}

const nothing: StoreState = { last: null, sent: [], encrypted_for: {}, pending: [] }

export function stateOfStore({ stores }: UploadState, name: string): StoreState {
  return (Object.hasOwn(stores, name) ? stores[name] : undefined) ?? nothing
}

/** Only under the catalog lock. */
export async function changeStoreState(
  root: RootLayout,
  name: string,
  change: (state: StoreState) => StoreState,
): Promise<void> {
  const state = readUploadState(root)
  const stores = { ...state.stores, [name]: change(stateOfStore(state, name)) }
  await replaceDurably(root.uploads, `${JSON.stringify({ ...state, stores }, undefined, 2)}\n`)
}
