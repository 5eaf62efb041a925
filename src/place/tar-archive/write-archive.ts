import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Writable } from 'node:stream'
import { isLocal, type StoredBackup } from '../../catalog/backup.js'
import type { Context } from '../../context.js'
import { explained, PgbkError } from '../../errors.js'
import { syncPath } from '../../system/files/durable.js'
import type { Listing } from '../contract/listing.js'
import type { Place } from '../contract/place.js'
import { checkArchive } from './archive-check.js'
import { type Compress, type Compression, openCompression } from './compression.js'
import { archiveHere, hasGnuTar } from './local-archive.js'
import { type SeenTar, watchTar } from './watch-tar.js'

interface ArchiveJob {
  source: Place
  backup: StoredBackup
  /** What is to be in it. */
  listing: Listing
  compression: Compression
}

/** More than what stands behind the last entry of a tar, and a header of any kind before it. */
const tarEnding = 32 << 10

/**
 * Passes the tar through this process, which sees what is in it. Its end, with the record, is held back until all else is known to
 * be in it: what is unpacked from an archive that is not complete is not a backup.
 */
async function writeTar(
  job: ArchiveJob,
  compress: Compress,
  sink: Writable,
  { progress }: Context,
): Promise<void> {
  const { source, backup, listing } = job
  const watch = watchTar(backup.id, listing)
  const heldBack = (await source.readRecord(backup)).length + tarEnding
  let done = 0
  let content: SeenTar | undefined
  const complaints = await source.archive(backup, listing, (tar) =>
    compress(
      (async function* () {
        let held: Buffer = Buffer.alloc(0)
        for await (const chunk of tar) {
          watch.look(chunk)
          done += chunk.length
          progress.bytes(done, backup.storedBytes)
          held = Buffer.concat([held, chunk])
          if (held.length <= heldBack) continue
          yield held.subarray(0, -heldBack)
          held = held.subarray(-heldBack)
        }
        content = watch.end()
        if (await isComplete(backup, listing, content)) yield held
      })(),
      sink,
    ),
  )
  await checkArchive(backup, listing, { ...(content ?? watch.end()), complaints })
}

async function isComplete(backup: StoredBackup, listing: Listing, content: SeenTar): Promise<boolean> {
  try {
    await checkArchive(backup, listing, { ...content, complaints: '' })
    return true
  } catch {
    return false // why will be told with what tar has said
  }
}

/**
 * Writes an archive into a file, which has its name only when it is complete and on disk; on failure nothing stays.
 * @returns its bytes.
 */
export async function archiveToFile(
  job: ArchiveJob,
  { file, replace }: { file: string; replace: boolean | undefined },
  context: Context,
): Promise<number> {
  const part = `${file}.${randomBytes(4).toString('hex')}.part`
  try {
    const handle = await open(part, 'wx', 0o600)
    const { source, backup, listing, compression } = job
    const isCompressed = compression === 'zstd'
    if (
      source.directory !== undefined &&
      isLocal(backup) &&
      compression !== 'gzip' &&
      (await hasGnuTar(context))
    ) {
      await handle.close()
      context.progress.step('archiving')
      await archiveHere(source.directory, { backup, listing }, { file: part, isCompressed }, context)
    } else {
      const sink = handle.createWriteStream({ highWaterMark: 1 << 20 })
      await writeTar(job, await openCompression(compression, context), sink, context)
    }
    await syncPath(part)
    const { size } = await stat(part)
    if (!replace && existsSync(file)) throw takenMeanwhile(file)
    await rename(part, file)
    await syncPath(dirname(file))
    return size
  } catch (cause) {
    await rm(part, { force: true })
    throw explained(cause, `write ${file}`, closedHint)
  }
}

const closedHint =
  'Started by root, pgbk works as the owner of the root directory. Name a directory of that user, or let the shell write: --archive - >FILE'

function takenMeanwhile(file: string): PgbkError {
  return new PgbkError('failed', `${file} was created by somebody else meanwhile`, {
    hint: 'Choose another name.',
  })
}

/** Writes an archive to standard output. @returns its bytes. */
export async function archiveToOutput(job: ArchiveJob, context: Context): Promise<number> {
  let bytes = 0
  const sink = new Writable({
    highWaterMark: 1 << 20,
    write: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length
      context.stdout.write(chunk, (error) => done(error ?? undefined))
    },
  })
  try {
    await writeTar(job, await openCompression(job.compression, context), sink, context)
  } catch (cause) {
    throw explained(cause, 'write to standard output')
  }
  return bytes
}
