import { createHash, type Hash } from 'node:crypto'
import { lstatSync, renameSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import type { StoredBackup } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { type FileWriter, unfinishedName } from '../place/contract/file-writer.js'
import { imageName } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { imageOfBackup } from '../remote-image/image-in-order.js'
import { piecesOf } from '../system/files/read-small.js'
import { bytesInside } from '../system/paths/inside.js'
import type { FoundFiles } from './keep-whole.js'

/**
 * What an earlier download has received of an image stays, all of it or a part: whether it is the right one shows when the rest is there.
 * @returns its bytes.
 */
export function keepImage(directory: string, { files }: FoundFiles): number {
  const part = partIn(directory)
  if (files.delete(imageName)) renameSync(bytesInside(directory, imageName), part)
  files.delete(unfinishedName(imageName))
  return lstatSync(part, { throwIfNoEntry: false })?.size ?? 0
}

interface ImageFetch {
  source: Place
  backup: StoredBackup
  directory: string
  writer: FileWriter
}

/**
 * Brings the image of a packed backup here, from where an earlier download has come to. It has its name only when all its bytes are what
 * the record tells of. Where they are not, and some of them came earlier, all of it comes anew.
 * @throws {PgbkError} `damaged` when the source has another one; as `Place.read`: what has come by then stays.
 */
export async function fetchImage(fetch: ImageFetch, packed: PackedFacts, context: Context): Promise<void> {
  const part = partIn(fetch.directory)
  const here = lstatSync(part, { throwIfNoEntry: false })?.size ?? 0
  context.progress.step('copying')
  for (const from of here > 0 && here <= packed.bytes ? [here, 0] : [0]) {
    if (await fetchFrom(from, fetch, packed, context)) return
    await unlink(part)
  }
  const { backup, source } = fetch
  throw new PgbkError(
    'damaged',
    `snapshot.squashfs of backup ${backup.id} in ${source.name} is not what was packed: its SHA-256 is not that of the record`,
    { hint: 'The source is damaged: check it there with pgbk verify, or choose another backup.' },
  )
}

/** @returns whether it is the record's. */
async function fetchFrom(
  from: number,
  { source, backup, directory, writer }: ImageFetch,
  { bytes, sha256 }: PackedFacts,
  { signal, now, tickMs }: Context,
): Promise<boolean> {
  const hash = createHash('sha256')
  if (from > 0) await readInto(hash, piecesOf(partIn(directory)), signal)
  const file = writer.begin(imageName, now(), from)
  let isWhole = false
  try {
    const image = imageOfBackup(source, backup, { bytes, from }, { tickMs })
    await readInto(hash, image, signal, (piece) => file.write(piece))
    isWhole = hash.digest('hex') === sha256
    if (isWhole) file.finish()
    return isWhole
  } finally {
    if (!isWhole) file.abandon()
  }
}

async function readInto(
  hash: Hash,
  bytes: AsyncIterable<Buffer>,
  signal: AbortSignal,
  each: (piece: Buffer) => void = () => {},
): Promise<void> {
  for await (const piece of bytes) {
    signal.throwIfAborted()
    hash.update(piece)
    each(piece)
  }
}

function partIn(directory: string): string | Buffer {
  return bytesInside(directory, unfinishedName(imageName))
}
