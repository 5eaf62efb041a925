import { constants } from 'node:fs'
import { lstat, readdir, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { copyOneFile } from '../system/files/copy-file.js'
import { syncPath } from '../system/files/durable.js'
import { parseSegmentName } from '../wal-segments/lsn.js'
import { unpackSegment } from '../wal-segments/segment-file.js'
import { formsOfReceivewal, segmentFileOf } from '../wal-segments/segment-forms.js'

/** What is still being written in an archive has a name that neither PostgreSQL nor pg_receivewal takes for a segment. */
const draftStart = '.pgbk-'

export function draftOf(name: string): string {
  return `${draftStart}${name}.tmp`
}

/**
 * Clears away what a killed receiver has left in an archive: drafts, and `.partial` segments of a wrong size, which
 * pg_receivewal was still filling with zeros, and with which it would not start again. Only while nobody receives there.
 */
export async function sweepArchive(archive: string, segmentSize: number): Promise<void> {
  for (const name of await readdir(archive)) {
    const path = join(archive, name)
    // The draft of a list at work may go by itself.
    if (name.startsWith(draftStart) && name.endsWith('.tmp')) await rm(path, { force: true })
    if (segmentFileOf(name)?.form !== 'partial') continue
    const { size } = await lstat(path)
    if (size !== 0 && size !== segmentSize) await unlink(path)
  }
}

/** Copies a file into an archive under its name in one step; it is on disk when this returns. */
export async function copyInto(source: string, archive: string, name: string): Promise<void> {
  const draft = join(archive, draftOf(name))
  await copyOneFile(source, draft, constants.COPYFILE_FICLONE)
  await syncPath(draft)
  await rename(draft, join(archive, name))
  await syncPath(archive)
}

/**
 * Unpacks the newest segment of an archive where it lies in a form that pg_receivewal does not know, which otherwise would begin
 * elsewhere. Only while nobody receives there.
 */
export async function giveReceivewalItsStart(
  archive: string,
  segmentSize: number,
  { env, signal, progress }: Pick<Context, 'env' | 'signal' | 'progress'>,
): Promise<void> {
  const files = (await readdir(archive)).flatMap((file) => {
    const found = segmentFileOf(file)
    const place = found && parseSegmentName(found.name, segmentSize)
    return place ? [{ ...found, ...place, file }] : []
  })
  const [newest] = files.toSorted(
    (one, other) => Number(other.segment - one.segment) || other.timeline - one.timeline,
  )
  const forms = files.filter(({ name }) => name === newest?.name)
  if (!newest || forms.some(({ form }) => formsOfReceivewal.includes(form))) return
  const draft = join(archive, draftOf(newest.name))
  try {
    await unpackSegment(join(archive, newest.file), draft, segmentSize, { env, signal })
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'damaged') throw error
    // Receiving from where the slot stands is still the best.
    progress.warn(error.message)
    return
  }
  await syncPath(draft)
  await rename(draft, join(archive, newest.name))
  await syncPath(archive)
}
