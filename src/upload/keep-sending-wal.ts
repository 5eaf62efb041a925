import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import { type RootLayout, rootLayout } from '../catalog/layout.js'
import { readWalSent, writeWalSent } from '../catalog/uploads/wal-sent.js'
import type { Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { messageOf } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { StoredObject } from '../place/store/object-store.js'
import { namesIn } from '../system/paths/names-in.js'
import { findThere } from './find-there.js'
import { type OpenStore, openStoreFor } from './open-stores.js'
import { sendWal } from './send-wal.js'

/** What sends WAL beside a receiver, which never waits for it. */
export interface WalSenders {
  stop(): Promise<void>
}

/** Begins to send the WAL of a root to the stores that take its backups, each by itself: one that is away keeps no other from it. */
export function startWalSenders({ settings, context }: Task): WalSenders {
  const stopped = new AbortController()
  const signal = AbortSignal.any([context.signal, stopped.signal])
  const own = { settings, context: { ...context, signal } }
  const names = Object.entries(settings.stores).flatMap(([name, { upload }]) =>
    upload === 'never' ? [] : name,
  )
  const working = names.map((name) => keepSendingTo(name, own))
  return {
    async stop() {
      stopped.abort()
      // A mount that hangs, and no signal reaches, must not keep the receiver from its end.
      await Promise.race([Promise.all(working), sleep(mostEndMs, undefined, { ref: false })])
    },
  }
}

const mostEndMs = 5000

/** In pauses: while a store is away it is asked once in so many. */
const [pausesPerTry, ticksPerRound] = [15, 2]

/** Ends when the signal is aborted, and never fails. */
async function keepSendingTo(name: string, { settings, context }: Task): Promise<void> {
  const root = rootLayout(settings.root)
  let told: string | undefined
  await sweepCopies(root, name)
  while (!context.signal.aborted) {
    try {
      await withEnds(context, async (own) => {
        const store = await openStoreFor(name, { settings, context: own })
        await sendInRounds(store, { settings, context: own }, () => {
          if (told !== undefined) context.progress.say(`WAL comes into the store ${name} again`)
          told = undefined
        })
      })
    } catch (error) {
      if (context.signal.aborted) return
      const why = messageOf(error)
      if (why !== told) context.progress.warn(`WAL is not sent to the store ${name}, trying again: ${why}`)
      told = why
      writeWalSent(root, name, { at: readWalSent(root)[name]?.at ?? null, error: why })
      await pause(context, pausesPerTry)
    }
  }
}

/** Where a segment that is still written to is copied, to be sent as it is at one moment. */
function copyPath({ backups }: RootLayout, store: string, file: string): string {
  return join(backups, `.pgbk-${store}-${file}`)
}

/** What a killed receiver has left. */
async function sweepCopies(root: RootLayout, store: string): Promise<void> {
  const isCopy = new RegExp(`^\\.pgbk-${store}-[0-9A-F]{24}\\.`)
  for (const name of namesIn(root.backups, 'EACCES'))
    if (isCopy.test(name)) await rm(join(root.backups, name), { force: true })
}

async function pause({ tickMs, signal }: Context, ticks: number): Promise<void> {
  await sleep(ticks * tickMs, undefined, { signal }).catch(() => {})
}

/** What a store has of each backup, by id. */
type There = Map<string, Map<string, StoredObject>>

/** @param onSent is told when all has been sent. @throws what a store says. */
async function sendInRounds(
  store: OpenStore,
  { settings, context }: Task,
  onSent: () => void,
): Promise<void> {
  const root = rootLayout(settings.root)
  const name = store.name ?? ''
  const there: There = new Map()
  const looksDue = timer(lookMs)
  const partialsDue = timer(spanOf(settings.stores[name]?.partial_every ?? '30 seconds'))
  while (!context.signal.aborted) {
    const startedAt = context.now()
    const withAll = looksDue(startedAt)
    const withPartials = partialsDue(startedAt)
    const { backups } = readCatalog(root.root)
    if (withAll) await lookThere(store, backups, there, context)
    // Older archives change when a newer backup takes over, or one goes: rarely.
    for (const backup of withAll ? backups : backups.slice(0, 2))
      await sendArchive(backup, { store, backups, there, withPartials, root }, context)
    if (withPartials) {
      writeWalSent(root, name, { at: startedAt.toISOString(), error: null })
      onSent()
    }
    await pause(context, ticksPerRound)
  }
}

/** Says whether so long has gone by since it last said so. */
function timer(everyMs: number): (now: Date) => boolean {
  let last = Number.NEGATIVE_INFINITY
  return (now) => {
    if (now.getTime() - last < everyMs) return false
    last = now.getTime()
    return true
  }
}

const lookMs = 60_000

function spanOf(text: string): number {
  const [count = '', unit = ''] = text.split(' ')
  return Number(count) * (unit.startsWith('minute') ? 60_000 : 1000)
}

/** Which of the backups a store has by now, and what of each. @throws `not-found` for a store that is not there, as a disk that is not mounted. */
async function lookThere(
  store: OpenStore,
  backups: LocalBackup[],
  there: There,
  context: Context,
): Promise<void> {
  const ids = new Set(await store.objects.directoriesIn(keysOf.backups))
  for (const backup of backups) {
    const isThere = ids.has(backup.id) && (await store.objects.stat(keysOf.backup(backup.id).record))
    if (!isThere) there.delete(backup.id)
    else if (!there.has(backup.id)) {
      const found = await findThere(backup, store, context)
      if (found) there.set(backup.id, found)
    }
  }
}

/** Until a backup has come there, its WAL goes to the nearest older one that has: from that it can be replayed. */
function destinationOf(backup: LocalBackup, backups: LocalBackup[], there: There): LocalBackup | undefined {
  const cluster = claimedCluster(backup)
  return backups.find((one) => one.id <= backup.id && there.has(one.id) && claimedCluster(one) === cluster)
}

interface ArchiveJob {
  store: OpenStore
  /** Those of the root. */
  backups: LocalBackup[]
  there: There
  withPartials: boolean
  root: RootLayout
}

async function sendArchive(
  from: LocalBackup,
  { store, backups, there, withPartials, root }: ArchiveJob,
  context: Context,
): Promise<void> {
  const to = destinationOf(from, backups, there)
  const known = to && there.get(to.id)
  // What is encrypted stays so, whatever the configuration says by now.
  if (!known || (known.has('snapshot.squashfs.age') && !store.wrapping.encrypts)) return
  const job = {
    archive: layoutOf(from).wal,
    segmentSize: from.summary.wal_segment_size,
    store: store.objects,
    prefix: keysOf.backup(to.id).top,
    wrapping: store.wrapping,
    asideOf: (file: string) => copyPath(root, store.name ?? '', file),
    withPartials,
  }
  await sendWal(job, known, context)
}
