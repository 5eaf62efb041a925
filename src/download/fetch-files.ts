import { chmod, lstat, mkdir, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { recordOf, type StoredBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError, systemCode } from '../errors.js'
import { type FileWriter, openFileWriter } from '../place/contract/file-writer.js'
import { type Listing, type WantedWal, wantedOf } from '../place/contract/listing.js'
import {
  imageName,
  linkedTablespacesIn,
  manifestName,
  someOf,
  tablespaceOf,
  walFileOf,
} from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { manifestFiles } from '../snapshot/manifest/manifest.js'
import { type BytePath, bytePath } from '../system/paths/byte-path.js'
import { bytesInside } from '../system/paths/inside.js'
import { lastWords } from '../text/cut-to.js'
import { filesOf, finishedForms, isUnfinishedFile, segmentIn } from '../wal-segments/segment-forms.js'
import { checkListed, limitOf } from './check-listed.js'
import type { DownloadDirectory } from './download-directory.js'
import { fetchImage, keepImage } from './fetch-image.js'
import { type FoundFiles, keepManifest, keepWhole, lookAtOld } from './keep-whole.js'

export interface FetchedBackup {
  listing: Listing
  linkedTablespaces: ReadonlySet<string>
  /** Bytes that travelled. */
  received: number
}

/** What is to come from where, and where to. */
interface WantedFiles extends WantedWal {
  source: Place
  backup: StoredBackup
  directory: DownloadDirectory
}

/** What is known while it comes. */
interface Fetching extends WantedFiles {
  writer: FileWriter
  /** The bytes of the files that the manifest names, as soon as that is here, or of the image. */
  sizes: Map<BytePath, number> | undefined
}

const mostRounds = 20

/**
 * Brings all files of a backup here that are not here yet. The WAL archive may grow meanwhile, a segment be compressed or finished:
 * what was listed and has not come is looked for again, for as long as anything comes.
 * @param announce is told before files travel, with the bytes that are there already.
 * @throws {PgbkError} `failed` when the source does not send what it lists; `not-found` when the backup is removed there; a system
 * error.
 */
export async function fetchFiles(
  wanted: WantedFiles,
  context: Context,
  announce: (kept: number) => Promise<void>,
): Promise<FetchedBackup> {
  const { source, backup } = wanted
  const { isResumed, layout } = wanted.directory
  const { directory } = layout
  const { storedBytes: total } = backup
  const { wal_segment_size: segmentSize } = recordOf(backup)
  let [kept, received] = [0, 0]
  const onBytes = (bytes: number) => {
    received += bytes
    context.progress.bytes(received, Math.max(total - kept, received))
  }
  const writer = openFileWriter(directory, onBytes, (name) => limitOf(name, fetching.sizes, segmentSize))
  const fetching: Fetching = { ...wanted, writer, sizes: undefined }
  const old = isResumed ? await lookAtOld(directory) : undefined
  for (let round = 0; round < mostRounds; round++) {
    const listing = wantedOf(await source.files(backup), backup, wanted)
    const linkedTablespaces = linkedTablespacesIn(listing)
    await makeDirectories(directory, listing)
    if (round === 0) {
      if (old) kept = await keepOld(fetching, old, listing, context)
      await announce(kept)
    }
    const before = writer.names.size
    const { left, complaints } = await receiveMissing(fetching, listing, context)
    await writer.flushed()
    if (left.length === 0) {
      await removeOutgrown(directory, writer.names)
      await makeLinks(directory, listing)
      return { listing, linkedTablespaces, received }
    }
    if (writer.names.size > before) continue
    await source.files(backup) // Is it gone altogether?
    throw notSent(source, left, complaints)
  }
  throw new PgbkError('failed', `${source.name} changes faster than it can be copied`)
}

/** The manifest comes first: it tells what must be there, and how large that is, before all the rest travels. Or the image. */
async function receiveMissing(
  fetching: Fetching,
  listing: Listing,
  context: Context,
): Promise<{ left: BytePath[]; complaints: string }> {
  const { source, backup, writer } = fetching
  const { directory } = fetching.directory.layout
  const { packed } = backup.summary
  if (packed) {
    fetching.sizes ??= new Map([[imageName, packed.bytes]])
    if (!writer.names.has(imageName)) await fetchImage({ source, backup, directory, writer }, packed, context)
  } else {
    if (!writer.names.has(manifestName)) {
      const complaints = await source.transfer(backup, [manifestName], writer)
      if (!writer.names.has(manifestName)) return { left: [manifestName], complaints }
    }
    fetching.sizes ??= await checkListed(directory, listing, source, context.signal)
  }
  const missing = missingOf(listing, writer.names)
  const complaints = missing.length > 0 ? await source.transfer(backup, missing, writer) : ''
  return { left: missingOf(listing, writer.names), complaints }
}

/** Returns the bytes that stay. */
async function keepOld(
  { source, backup, writer, directory: { layout } }: Fetching,
  old: FoundFiles,
  listing: Listing,
  { progress, signal }: Context,
): Promise<number> {
  const { directory } = layout
  const isPacked = backup.form === 'packed'
  let [done, kept] = [0, isPacked ? keepImage(directory, old) : 0]
  if (!isPacked) {
    if (!(await keepManifest(directory, old, writer))) await source.transfer(backup, [manifestName], writer)
    await checkListed(directory, listing, source, signal)
  }
  progress.step('checking what is here already')
  const { wal_segment_size: walSegmentSize } = recordOf(backup)
  await keepWhole(directory, old, writer, {
    named: isPacked ? [] : manifestFiles(join(directory, manifestName)),
    linkedTablespaces: linkedTablespacesIn(listing),
    walSegmentSize,
    signal,
    onBytes: (bytes) => {
      done += bytes
      progress.bytes(done, old.bytes)
    },
  })
  for (const name of writer.names) kept += (await lstat(bytesInside(directory, name))).size
  return kept
}

/** A segment is there in whatever form it came; one that is not finished does not stand for one that is. */
function missingOf({ files }: Listing, here: ReadonlySet<BytePath>): BytePath[] {
  return files.filter((name) => {
    if (here.has(name)) return false
    const segment = segmentIn(walFileOf(name) ?? '')
    if (segment === undefined || !name.startsWith('wal/')) return true
    return !isFinishedIn(here, segment)
  })
}

function isFinishedIn(here: ReadonlySet<BytePath>, segment: string): boolean {
  return filesOf(segment, finishedForms).some((file) => here.has(bytePath(`wal/${file}`)))
}

/** A segment that was finished while the archive was copied has come in both forms. */
async function removeOutgrown(directory: string, here: Set<BytePath>): Promise<void> {
  for (const name of [...here].filter((one) => one.startsWith('wal/'))) {
    const segment = isUnfinishedFile(name) ? segmentIn(walFileOf(name) ?? '') : undefined
    if (segment === undefined || !isFinishedIn(here, segment)) continue
    await unlink(bytesInside(directory, name))
    here.delete(name)
  }
}

async function makeDirectories(directory: string, { directories }: Listing): Promise<void> {
  for (const name of [...directories].sort()) {
    const path = bytesInside(directory, name)
    try {
      await mkdir(path, { mode: 0o700 })
    } catch (error) {
      if (systemCode(error) !== 'EEXIST' || !(await lstat(path)).isDirectory()) throw error
      await chmod(path, 0o700)
    }
  }
}

/** Last of all: no file is written where there are links. */
async function makeLinks(directory: string, { links }: Listing): Promise<void> {
  for (const link of links)
    await symlink(`../../tablespaces/${tablespaceOf(link)}`, bytesInside(directory, link))
}

function notSent({ name }: Place, left: BytePath[], complaints: string): PgbkError {
  const message = `${name} does not send ${someOf(left)}${complaints && `: ${lastWords(complaints)}`}`
  if (!/permission denied/i.test(complaints)) return new PgbkError('failed', message)
  return new PgbkError('failed', message, {
    hint: 'Read it there as the user whom the backups belong to.',
  })
}
