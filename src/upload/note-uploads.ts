import { existsSync } from 'node:fs'
import type { RootLayout } from '../catalog/layout.js'
import {
  changeStoreState,
  readUploadState,
  type StoreState,
  stateOfStore,
} from '../catalog/uploads/upload-state.js'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import { type LocalPlace, localPlace } from '../place/local-place.js'
import type { Upload } from './upload-one.js'

type Pending = StoreState['pending'][number]

/** Notes what is to be sent to a store, before that begins: it may be killed. */
export async function notePending(
  root: RootLayout,
  store: string,
  backup: string,
  context: Context,
): Promise<void> {
  const since = context.now().toISOString()
  await change(root, store, context, ({ pending, ...state }) => ({
    ...state,
    pending: [...without(pending, backup), { backup, since, error: null }],
  }))
}

/** Notes how uploads to stores of the configuration have ended. What failed and nobody waits for is not waited for. */
export async function noteUploads(root: RootLayout, uploads: Upload[], context: Context): Promise<void> {
  for (const upload of uploads) {
    const { configured: name } = upload
    if (name !== undefined)
      await change(root, name, context, (state) => after(state, upload, root, context.now()))
  }
}

function after(
  { last, sent, encrypted_for, pending }: StoreState,
  upload: Upload,
  root: RootLayout,
  at: Date,
): StoreState {
  const { backup, error } = upload
  const { id } = backup
  if (error) {
    const failed = (one: Pending) => (one.backup === id ? { ...one, error: error.message } : one)
    return { last, sent, encrypted_for, pending: pending.map(failed) }
  }
  const newest = last && last.backup > id ? last : { backup: id, finished_at: at.toISOString() }
  const still = [...new Set([...sent, id])].filter((one) => existsSync(root.backup(one)))
  const readers = Object.entries(readersAfter(encrypted_for, upload)).filter(([one]) => still.includes(one))
  return {
    last: newest,
    sent: still,
    encrypted_for: Object.fromEntries(readers),
    pending: without(pending, id),
  }
}

/** For whom what was there already is encrypted, this upload does not know. */
function readersAfter(
  before: StoreState['encrypted_for'],
  { backup: { id }, recipients, wasThere }: Upload,
): StoreState['encrypted_for'] {
  if (wasThere) return before
  const { [id]: _replaced, ...others } = before
  return recipients.length > 0 ? { ...others, [id]: [...recipients] } : others
}

function without(pending: Pending[], backup: string): Pending[] {
  return pending.filter((one) => one.backup !== backup)
}

/** Those that a store lacks and were to be sent, the oldest first, of which the backup is still here. */
export function pendingIn(root: RootLayout, store: string, here: ReadonlySet<string>): Pending[] {
  const { pending } = stateOfStore(readUploadState(root), store)
  return pending.filter(({ backup }) => here.has(backup)).sort((a, b) => (a.backup < b.backup ? -1 : 1))
}

/** That it cannot be written keeps nothing from being sent. */
async function change(
  root: RootLayout,
  store: string,
  context: Context,
  work: (state: StoreState) => StoreState,
): Promise<void> {
  const place: LocalPlace = localPlace(root.root, context)
  try {
    await place.lease('catalog', { purpose: 'upload', wait: true }, context, () =>
      changeStoreState(root, store, work),
    )
  } catch (error) {
    context.signal.throwIfAborted()
    context.progress.detail(`cannot write ${root.uploads}: ${messageOf(error)}`)
  }
}
