import type { RootLayout } from '../catalog/layout.js'
import { uploadsIn } from '../catalog/uploads/upload-note.js'
import { readUploadState, type StoreState, stateOfStore } from '../catalog/uploads/upload-state.js'
import { readWalSent, type WalSent } from '../catalog/uploads/wal-sent.js'
import type { Settings } from '../config/load.js'
import type { Problem } from './health.js'

/** How well a store of the configuration has what it is to have, by what uploads have noted: it is not asked. */
export interface StoreHealth {
  name: string
  /** When backups are brought there by themselves. */
  upload: 'always' | 'scheduled' | 'never'
  last: StoreState['last']
  /** Backups of this root that were to come there, and have not; the oldest first. */
  missing: MissingBackup[]
  /** Of what `wal receive` sends there; undefined where it has never sent any. */
  wal: { at: string | null; lagMs: number | undefined; error: string | null } | undefined
}

interface MissingBackup {
  backup: string
  since: string
  error: string | null
  /** It is being sent now. */
  isComing: boolean
}

/** @param here the ids of the root's backups. */
export function storesHealth(
  { stores }: Pick<Settings, 'stores'>,
  root: RootLayout,
  here: ReadonlySet<string>,
  now: Date,
): StoreHealth[] {
  const names = Object.entries(stores)
  if (names.length === 0) return []
  const state = readUploadState(root)
  const sent = readWalSent(root)
  const coming = new Set(
    uploadsIn(root)
      .filter(({ life }) => life === 'alive')
      .map(({ backup }) => backup),
  )
  return names.map(([name, { upload }]) => {
    const { last, pending } = stateOfStore(state, name)
    const missing = pending
      .filter(({ backup }) => here.has(backup))
      .map((one) => ({ ...one, isComing: coming.has(one.backup) }))
      .sort((a, b) => (a.backup < b.backup ? -1 : 1))
    return { name, upload, last, missing, wal: walOf(upload === 'never' ? undefined : sent[name], now) }
  })
}

function walOf(sent: WalSent | undefined, now: Date): StoreHealth['wal'] {
  if (!sent) return undefined
  return { ...sent, lagMs: sent.at === null ? undefined : Math.max(0, now.getTime() - Date.parse(sent.at)) }
}

/** One for each store whose WAL the receiver could not send. */
export function storeWalProblems(stores: StoreHealth[]): Problem[] {
  return stores.flatMap(({ name, wal }) => {
    if (!wal?.error) return []
    const since = wal.at === null ? 'no WAL' : `no WAL since ${wal.at}`
    return [{ severity: 'warning', text: `${since} has come into the store ${name}: ${wal.error}` }]
  })
}

/** One for each store: its oldest missing backup, and why. */
export function storeProblems(stores: StoreHealth[]): Problem[] {
  return stores.flatMap(({ name, missing }) => {
    const lost = missing.filter(({ isComing }) => !isComing)
    const [first] = lost
    if (!first) return []
    const more = lost.length > 1 ? ` and ${lost.length - 1} more` : ''
    const why = first.error ?? 'its upload was interrupted'
    return [
      { severity: 'warning', text: `${first.backup}${more} did not come into the store ${name}: ${why}` },
    ]
  })
}
