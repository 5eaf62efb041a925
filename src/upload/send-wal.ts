import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import type { BackupFiles } from '../catalog/layout.js'
import type { WalFilesSent } from '../catalog/uploads/wal-files-sent.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../place/store/object-store.js'
import { inParallel } from '../system/files/in-parallel.js'
import { filesInArchive } from '../wal-archive/archive-listing.js'
import { type ArchivedSegment, pathOf, segmentsIn, usableFormsOf } from '../wal-segments/archive-segments.js'
import {
  filesOf,
  finishedForms,
  isFinished,
  isUnfinishedFile,
  packingOf,
  segmentFileOf,
  unfinishedForms,
} from '../wal-segments/segment-forms.js'
import { asSent, nameAsSent } from './as-sent.js'
import type { OpenStore } from './open-stores.js'
import { fileSendable } from './wrapping/file-sendable.js'
import type { Wrapping } from './wrapping/wrapping.js'

/** A WAL archive, and where it goes. */
export interface WalJob {
  /** The archive's directory. */
  archive: string
  segmentSize: number
  store: ObjectStore
  /** Of the backup in the store. */
  prefix: string
  wrapping: Wrapping
  /** Where a file is that is made to be sent in the place of another one, for as long as that takes. */
  asideOf(file: string): string
  /** Whether a segment that is still written to is sent as it is now. */
  withPartials: boolean
  /**
   * Of segments that are still written to, and were sent in this process: the time (mtime, in ms) of what was sent, by its key. Undefined
   * where nobody goes on sending: then the store's own time of what it has tells, whose clock may be another.
   */
  sentAsOf?: Map<string, number>
  /** Is told of each file that is finished, and has come. */
  note?(name: string, bytes: number): Promise<void>
}

interface SentWal {
  files: number
  bytes: number
}

/** The WAL archive of a backup. @param aside the directory of its upload. */
export function walJobOf(
  backup: LocalBackup,
  { objects: store, wrapping, walSent }: OpenStore,
  aside: BackupFiles,
): WalJob {
  return {
    archive: layoutOf(backup).wal,
    segmentSize: backup.summary.wal_segment_size,
    store,
    prefix: keysOf.backup(backup.id).top,
    wrapping,
    asideOf: (file) => join(aside.directory, `.pgbk-${file}`),
    withPartials: true,
    ...noteIn(walSent, backup.id),
  }
}

/** @param backup whose WAL it is, there. */
export function noteIn(sent: WalFilesSent | undefined, backup: string): Pick<WalJob, 'note'> {
  return sent ? { note: (name, bytes) => sent.add(backup, name, bytes) } : {}
}

const atOnce = 4
/** A receiver finishes and compresses segments meanwhile: what has another name by then is found by the next look. */
const mostLooks = 5

/**
 * Sends what a store lacks of a WAL archive. Of a segment one form is enough: a packed one, which is made for that where there is none.
 * One that is still written to is sent as it is now, in the place of what it was.
 * @param there what the store has of the backup, by names below its prefix; what is sent is added.
 */
export async function sendWal(
  job: WalJob,
  there: Map<string, StoredObject>,
  context: Context,
): Promise<SentWal> {
  const sent = { files: 0, bytes: 0 }
  for (let looks = 1; looks <= mostLooks; looks++) {
    let hasMissed = false
    await inParallel(lacking(job, there, context.now()), atOnce, async (file) => {
      context.signal.throwIfAborted()
      const bytes = await sendFile(file, job, there, context)
      hasMissed ||= bytes === undefined
      if (bytes === undefined) return
      sent.files++
      sent.bytes += bytes
    })
    if (!hasMissed) break
  }
  return sent
}

/** The files that are to be sent: histories, then segments, the oldest first. */
function lacking(job: WalJob, there: ReadonlyMap<string, StoredObject>, now: Date): string[] {
  const { archive, segmentSize, wrapping, withPartials } = job
  const files = filesInArchive(archive)
  const found = (file: string) => there.get(nameOf(file, wrapping))
  const histories = files.filter(({ name }) => isHistory(name) && !found(name)).map(({ name }) => name)
  const segments = [...segmentsIn(files, segmentSize)].flatMap(([name, segment]) => {
    if (filesOf(name, finishedForms).some(found)) return []
    const usable = usableFormsOf(segment)
    const best = usable.find(({ form }) => packingOf(form)) ?? usable[0]
    return best && (isFinished(best) || (withPartials && hasChanged(best, found(best.file), job, now)))
      ? [best.file]
      : []
  })
  return [...histories.sort(), ...segments.sort()]
}

function isHistory(file: string): boolean {
  return /^[0-9A-F]{8}\.history$/.test(file)
}

function nameOf(file: string, { nameOf }: Wrapping): string {
  return nameOf(`wal/${file}`)
}

/** One that is written to has all its bytes from the beginning: only its time tells. */
function hasChanged(
  segment: ArchivedSegment,
  sent: StoredObject | undefined,
  { sentAsOf }: Pick<WalJob, 'sentAsOf'>,
  now: Date,
): boolean {
  if (sent === undefined) return true
  const found = lstatSync(pathOf(segment), { throwIfNoEntry: false })
  if (found === undefined) return false
  if (sentAsOf) return sentAsOf.get(sent.key) !== found.mtimeMs
  // By a clock that is ahead nothing would ever have changed.
  return found.mtime > sent.changedAt || sent.changedAt > now
}

/** What is written in the same moment in which a file is copied may leave it its time: that is no word of a segment. */
const momentMs = 1000

/** The time of a segment that is still written to, from before it is copied; undefined where that does not tell it from what comes next. */
function settledTime(path: string, now: Date): number | undefined {
  const mtimeMs = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs
  return mtimeMs !== undefined && Math.abs(now.getTime() - mtimeMs) > momentMs ? mtimeMs : undefined
}

/** @returns its bytes in the store; undefined when it has gone meanwhile. */
async function sendFile(
  file: string,
  job: WalJob,
  there: Map<string, StoredObject>,
  context: Context,
): Promise<number | undefined> {
  const { archive, store, prefix, wrapping, asideOf } = job
  const path = join(archive, file)
  const time = isUnfinishedFile(file) ? settledTime(path, context.now()) : undefined
  try {
    const sent = await asSent(path, asideOf, context.signal, async (still) => {
      const { name, what } = await wrapping.wrap(
        `wal/${nameAsSent(file)}`,
        fileSendable(still, context.signal),
      )
      return { name, object: await store.send(`${prefix}${name}`, what, () => {}) }
    })
    there.set(sent.name, sent.object)
    if (!isUnfinishedFile(file)) await job.note?.(sent.name, sent.object.bytes)
    if (time !== undefined) job.sentAsOf?.set(sent.object.key, time)
    await removePartial(file, job, there)
    return sent.object.bytes
  } catch (error) {
    context.signal.throwIfAborted()
    if (lstatSync(path, { throwIfNoEntry: false })) throw error
    return undefined
  }
}

/** Of a segment that is finished, what it was before means nothing any more. Where the store keeps it, no reader looks at it. */
async function removePartial(
  file: string,
  { store, prefix, wrapping }: WalJob,
  there: Map<string, StoredObject>,
): Promise<void> {
  const segment = segmentFileOf(file)
  if (!segment || !isFinished(segment)) return
  const old = filesOf(segment.name, unfinishedForms)
    .map((one) => nameOf(one, wrapping))
    .filter((name) => there.has(name))
  if (old.length === 0) return
  try {
    await store.remove(old.map((name) => `${prefix}${name}`))
    for (const name of old) there.delete(name)
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'failed') throw error
  }
}
