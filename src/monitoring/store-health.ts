import type { RootLayout } from '../catalog/layout.js'
import { uploadsIn } from '../catalog/uploads/upload-note.js'
import { readUploadState, type StoreState, stateOfStore } from '../catalog/uploads/upload-state.js'
import { readWalSent, type WalSent } from '../catalog/uploads/wal-sent.js'
import type { Settings } from '../config/load.js'
import { msOfSpan } from '../text/ms-of-span.js'
import type { Problem } from './health.js'
import type { ReceiverHealth } from './receiver-health.js'

/** How well a store of the configuration has what it is to have, by what uploads have noted: it is not asked. */
export interface StoreHealth {
  name: string
  /** When backups are brought there by themselves. */
  upload: 'always' | 'scheduled' | 'never'
  last: StoreState['last']
  /** Backups of this root that were to come there, and have not; the oldest first. */
  missing: MissingBackup[]
  /** Of what `wal receive` sends there; undefined where it has never sent any. */
  wal: StoreWal | undefined
}

interface StoreWal {
  at: string | null
  lagMs: number | undefined
  /** Where it is behind by more than this, something is wrong though nothing has failed. */
  mostLagMs: number
  error: string | null
}

/** What a segment of a busy server, or a look at a large store, may take. */
const usualLagMs = 10 * 60_000

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
  return names.map(([name, { upload, partial_every }]) => {
    const { last, pending } = stateOfStore(state, name)
    const missing = pending
      .filter(({ backup }) => here.has(backup))
      .map((one) => ({ ...one, isComing: coming.has(one.backup) }))
      .sort((a, b) => (a.backup < b.backup ? -1 : 1))
    const wal = upload === 'never' ? undefined : sent[name]
    return { name, upload, last, missing, wal: wal && walOf(wal, msOfSpan(partial_every), now) }
  })
}

function walOf({ at, error }: WalSent, everyMs: number, now: Date): StoreHealth['wal'] {
  const lagMs = at === null ? undefined : Math.max(0, now.getTime() - Date.parse(at))
  return { at, error, lagMs, mostLagMs: everyMs + usualLagMs }
}

/** One for each store into which the WAL does not come: it cannot be sent, or a receiver is at work and nothing has come for long. */
export function storeWalProblems(stores: StoreHealth[], receiver: ReceiverHealth): Problem[] {
  return stores.flatMap(({ name, wal }) => {
    if (!wal) return []
    const isLate = receiver === 'alive' && wal.lagMs !== undefined && wal.lagMs > wal.mostLagMs
    if (wal.error === null && !isLate) return []
    const since = wal.at === null ? 'no WAL' : `no WAL since ${wal.at}`
    const why = wal.error ?? 'its sender is behind, or hangs'
    return [{ severity: 'warning', text: `${since} has come into the store ${name}: ${why}` }]
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
