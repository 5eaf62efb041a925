import { lstatSync, unlinkSync } from 'node:fs'
import { lstat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileWriter, isUnfinished, unfinishedName } from '../place/contract/file-writer.js'
import { imageName, isLeftOut, manifestName, nameInBackup, walFileOf } from '../place/contract/names.js'
import { isAsInManifest } from '../snapshot/manifest/checksum.js'
import { exemptFromManifest, isManifestWhole, type ManifestFile } from '../snapshot/manifest/manifest.js'
import { inParallel } from '../system/files/in-parallel.js'
import { walkTree } from '../system/files/walk-tree.js'
import { type BytePath, bytePath } from '../system/paths/byte-path.js'
import { bytesInside } from '../system/paths/inside.js'
import { isFinished, packingOf, segmentFileOf } from '../wal-segments/segment-forms.js'

const atOnce = 2

/** What a download finds that an earlier one has received. */
export interface FoundFiles {
  files: Set<BytePath>
  bytes: number
}

/**
 * The files of an earlier download. Links go, so that nothing is ever written through one, and so do unfinished files but that of an
 * image, which is continued.
 */
export async function lookAtOld(directory: string): Promise<FoundFiles> {
  const found: FoundFiles = { files: new Set(), bytes: 0 }
  await walkTree(bytePath(directory), ({ name, kind }) => {
    if (kind.isDirectory() || isLeftOut(name)) return
    const path = bytesInside(directory, name)
    const isContinued = name === unfinishedName(imageName)
    if (!kind.isFile() || (isUnfinished(name) && !isContinued)) return unlinkSync(path)
    found.files.add(name)
    found.bytes += lstatSync(path).size
  })
  return found
}

/** Whether the manifest of an earlier download is there and whole. */
export async function keepManifest(
  directory: string,
  { files }: FoundFiles,
  writer: FileWriter,
): Promise<boolean> {
  if (!files.delete(manifestName)) return false
  const manifest = join(directory, manifestName)
  if (await isManifestWhole(manifest)) {
    writer.names.add(manifestName)
    return true
  }
  await unlink(manifest)
  return false
}

interface KeepWholeOptions {
  /** What the manifest names; nothing for a packed one. */
  named: AsyncIterable<ManifestFile> | Iterable<ManifestFile>
  linkedTablespaces: ReadonlySet<string>
  walSegmentSize: number
  signal: AbortSignal
  onBytes(bytes: number): void
}

/**
 * Decides which files of an earlier download stay: those with the manifest's size and checksum, and complete WAL, which was on
 * disk before it got its name. All others are removed, and will come again.
 */
export async function keepWhole(
  directory: string,
  { files }: FoundFiles,
  writer: FileWriter,
  options: KeepWholeOptions,
): Promise<void> {
  const check = async (name: BytePath, isWhole: (path: string | Buffer) => Promise<boolean>) => {
    const path = bytesInside(directory, name)
    const { size } = await lstat(path)
    if (await isWhole(path)) writer.names.add(name)
    else await unlink(path)
    options.onBytes(size)
  }
  await inParallel(options.named, atOnce, async (file) => {
    options.signal.throwIfAborted()
    const name = nameInBackup(file.path, options.linkedTablespaces)
    if (exemptFromManifest.has(file.path) || !files.delete(name)) return
    await check(name, (path) => isAsInManifest(path, file, options.signal))
  })
  await inParallel([...files], atOnce, (name) =>
    check(name, async (path) => isCompleteWal(name, (await lstat(path)).size, options)),
  )
}

function isCompleteWal(name: string, size: number, { walSegmentSize }: KeepWholeOptions): boolean {
  const file = segmentFileOf(walFileOf(name) ?? '')
  if (!file || !isFinished(file)) return false
  return packingOf(file.form) !== undefined || size === walSegmentSize
}
