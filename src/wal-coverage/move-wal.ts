import { randomUUID } from 'node:crypto'
import { link, lstat, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { syncPath } from '../system/files/durable.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import { noteCaughtUp, readCaughtUp } from '../wal-archive/caught-up.js'
import { noteGap } from '../wal-archive/gap-note.js'
import { withSegmentFile } from '../wal-segments/segment-file.js'
import { filesOf, isFinished, segmentFileOf } from '../wal-segments/segment-forms.js'

/** WAL in the archive of a backup that is to be removed, without which another cannot be taken as far as it can be now. */
export interface WalMove {
  from: LocalBackup
  to: LocalBackup
  segments: ArchivedSegment[]
  /** Paths of timeline histories. */
  histories: string[]
  /** The segment that the server no longer had, where the WAL ends before it. */
  gapNote: string | undefined
}

/**
 * Gives an archive files of another of the same root, as further names of them: no byte is copied, and after a crash at any moment
 * both archives are as good as before. All is on disk when this returns.
 * @throws {PgbkError} `failed`: the other backup must not be removed then.
 */
export async function moveWal({ from, to, segments, histories, gapNote }: WalMove): Promise<void> {
  const archive = layoutOf(to).wal
  try {
    for (const path of histories) await giveName(path, archive)
    await giveSegments(segments, archive)
    if (gapNote !== undefined) await noteGap(archive, gapNote)
    if (segments.length > 0) await passOn(layoutOf(from).wal, archive)
  } catch (cause) {
    throw new PgbkError(
      'failed',
      `the WAL of ${from.id}, which ${to.id} needs, cannot be moved there: ${messageOf(cause)}`,
      { cause, hint: `Nothing was removed. Look whether ${archive} can be written to, and try again.` },
    )
  }
}

/** Gives a backup's archive all that its WAL leads through, up to a segment: whoever takes the backup away takes it along. */
export async function bringTogether(
  backup: Pick<LocalBackup, 'directory'>,
  { chain, histories }: ArchivedWal,
  lastSegment: bigint,
): Promise<void> {
  const layout = layoutOf(backup)
  const further = chain.filter(({ directory, segment }) => directory !== layout.wal && segment <= lastSegment)
  if (further.length === 0) return
  for (const path of histories.values()) await giveName(path, layout.wal)
  await giveSegments(further, layout.wal)
}

/** On disk when this returns; only then goes what they are better than. */
async function giveSegments(segments: ArchivedSegment[], archive: string): Promise<void> {
  const given: string[] = []
  for (const segment of segments)
    given.push(await withSegmentFile(segment, (path) => giveName(path, archive)))
  await syncPath(archive)
  for (const file of given) await removeLesser(archive, file)
}

/** In one step, in the place of whatever has that name: its own segment was no use. Returns the name. */
async function giveName(path: string, archive: string): Promise<string> {
  const name = basename(path)
  const target = join(archive, name)
  if (await isSameFile(path, target)) return name
  if (name.endsWith('.history') && (await lstat(target).catch(() => undefined))) return name
  await syncPath(path)
  // Another process may be giving it the same name.
  const draft = join(archive, `.pgbk-${name}.${randomUUID()}.tmp`)
  await link(path, draft)
  try {
    await rename(draft, target)
  } finally {
    // Where another has been faster, both are names of one file, and renaming does nothing.
    await rm(draft, { force: true })
  }
  return name
}

/** To rename one name of a file to another does nothing. */
async function isSameFile(path: string, target: string): Promise<boolean> {
  const [one, other] = await Promise.all([lstat(path), lstat(target).catch(unlessThere)])
  return other !== undefined && one.ino === other.ino && one.dev === other.dev
}

function unlessThere(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error
}

/** A finished segment takes the place of what had only begun, and of what is no use in another form. */
async function removeLesser(archive: string, file: string): Promise<void> {
  const given = segmentFileOf(file)
  if (!given || !isFinished(given)) return
  for (const other of filesOf(given.name)) if (other !== file) await rm(join(archive, other), { force: true })
}

/** Up to when everything had been received. */
async function passOn(from: string, to: string): Promise<void> {
  const [known, own] = [readCaughtUp(from), readCaughtUp(to)]
  if (known && (!own || own.at < known.at)) await noteCaughtUp(to, known)
}
