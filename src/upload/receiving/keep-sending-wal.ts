import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LocalBackup, layoutOf } from '../../catalog/backup.js'
import { readCatalog } from '../../catalog/catalog.js'
import { type RootLayout, rootLayout } from '../../catalog/layout.js'
import type { Task } from '../../config/load.js'
import { type Context, withEnds } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { keysOf } from '../../place/store/keys.js'
import { namesIn } from '../../system/paths/names-in.js'
import { msOfSpan } from '../../text/ms-of-span.js'
import { type OpenStore, openStoreFor } from '../open-stores.js'
import { noteIn, sendWal } from '../send-wal.js'
import { type WalDestinations, walDestinations } from './wal-destinations.js'
import { type WalNews, walNews } from './wal-news.js'

/**
 * Sends the WAL of a root to the stores that take its backups, each by itself: one that is away keeps no other from it. Ends when the signal
 * is aborted, and never fails.
 */
export async function keepSendingWal(task: Task): Promise<void> {
  const names = Object.entries(task.settings.stores).flatMap(([name, { upload }]) =>
    upload === 'never' ? [] : name,
  )
  await Promise.all(names.map((name) => keepSendingTo(name, task)))
}

/** In pauses: while a store is away it is asked once in so many. */
const [pausesPerTry, ticksPerRound] = [15, 2]

async function keepSendingTo(name: string, { settings, context }: Task): Promise<void> {
  const root = rootLayout(settings.root)
  const news = walNews(root, name, context)
  await sweepCopies(root, name)
  while (!context.signal.aborted) {
    try {
      await withEnds(context, async (own) => {
        const task = { settings, context: own }
        await sendInRounds(await openStoreFor(name, task), news, task)
      })
    } catch (error) {
      if (context.signal.aborted) return
      news.notSent(messageOf(error), true)
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

/** @throws what a store says. */
async function sendInRounds(store: OpenStore, news: WalNews, { settings, context }: Task): Promise<void> {
  const root = rootLayout(settings.root)
  const looksDue = timer(lookMs)
  const partialsDue = timer(msOfSpan(settings.stores[store.name ?? '']?.partial_every ?? '30 seconds'))
  let backups: LocalBackup[] = []
  const destinations = walDestinations(store, () => backups, root, context)
  const job = { store, destinations, root, sentAsOf: new Map<string, number>() }
  let why: string | undefined
  while (!context.signal.aborted) {
    const startedAt = context.now()
    const withPartials = partialsDue(startedAt)
    const withAll = looksDue(startedAt) || (withPartials && why !== undefined)
    backups = readCatalog(root.root).backups
    if (withAll) await destinations.look()
    // Older archives change when a newer backup takes over, or one goes: rarely.
    why = await sendArchives(withAll ? backups : backups.slice(0, 2), { ...job, withPartials }, context)
    if (why !== undefined) news.notSent(why, false)
    else if (withPartials) news.sent(startedAt)
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

interface ArchiveJob {
  store: OpenStore
  destinations: WalDestinations
  withPartials: boolean
  root: RootLayout
  /** As `WalJob`. */
  sentAsOf: Map<string, number>
}

/** @param backups the newest first. @returns why nothing of the newest is sent as things are; undefined where all of it has been. */
async function sendArchives(
  [newest, ...older]: LocalBackup[],
  job: ArchiveJob,
  context: Context,
): Promise<string | undefined> {
  const why = newest && (await sendArchive(newest, job, context))
  for (const backup of older) await sendArchive(backup, job, context)
  return why
}

/** @returns why nothing of it is sent as things are; undefined where all of it has been. */
async function sendArchive(
  from: LocalBackup,
  { store, destinations, withPartials, root, sentAsOf }: ArchiveJob,
  context: Context,
): Promise<string | undefined> {
  const to = await destinations.destinationOf(from)
  if (typeof to === 'string') return to
  const job = {
    archive: layoutOf(from).wal,
    segmentSize: from.summary.wal_segment_size,
    store: store.objects,
    prefix: keysOf.backup(to.summary.id).top,
    wrapping: store.wrapping,
    asideOf: (file: string) => copyPath(root, store.name ?? '', file),
    withPartials,
    sentAsOf,
    ...noteIn(store.walSent, to.summary.id),
  }
  try {
    await sendWal(job, to.files, context)
    return undefined
  } catch (error) {
    // An archive that cannot be read keeps those of other backups from nothing.
    if (error instanceof PgbkError && error.code === 'damaged') return error.message
    throw error
  }
}
