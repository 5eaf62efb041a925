import { recordOf, type StoredBackup } from '../../catalog/backup.js'
import { PgbkError } from '../../errors.js'
import { exemptFromManifest, type ManifestFile } from '../../snapshot/manifest/manifest.js'
import { type BytePath, bytePath, shownPath } from '../../system/paths/byte-path.js'
import { isUnfinishedFile, segmentIn } from '../../wal-segments/segment-forms.js'
import { ownSegments } from '../../wal-segments/segment-range.js'
import type { Listing } from '../contract/listing.js'
import { imageName, linkedTablespacesIn, nameInBackup } from '../contract/names.js'

/** What an archive has, as seen while it was made. */
interface ArchiveContent {
  /** The bytes of each entry by its name in the backup. */
  sizes: ReadonlyMap<BytePath, number>
  manifest: AsyncIterable<ManifestFile> | Iterable<ManifestFile>
  /** What tar complained of, in lines. */
  complaints: string
}

/**
 * Compares names and sizes with the list and the manifest, or those of a packed one with its record; what is in the files is not looked at.
 * @throws {PgbkError} `damaged` when something is missing or has another size; `failed` when what is there has changed meanwhile.
 */
export async function checkArchive(
  backup: StoredBackup,
  listing: Listing,
  { sizes, manifest, complaints }: ArchiveContent,
): Promise<void> {
  const said = unexpected(complaints, backup.id)
  const faults = missingNames(backup, listing, sizes)
  const { packed } = backup.summary
  const named = packed ? [{ name: imageName, size: packed.bytes }] : sizesIn(manifest, listing)
  for await (const { name, size } of named) {
    const fault = difference(name, size, sizes)
    if (fault !== undefined) faults.push(fault)
  }
  if (faults.length > 0) throw incomplete(backup.id, faults, said)
  if (said !== undefined) throw new PgbkError('failed', `the backup cannot be read: ${said}`)
}

/** What tar says of files that must stay as they are; those of the WAL archive come and change while it is read. */
function unexpected(complaints: string, id: string): string | undefined {
  const lines = complaints.split('\n').filter(Boolean)
  return lines.find(
    (line) =>
      !line.includes(`data/backup/${id}/wal/`) &&
      !/tar: (Exiting with|Error exit|Removing leading)/.test(line),
  )
}

function missingNames(backup: StoredBackup, listing: Listing, here: ReadonlyMap<BytePath, number>): string[] {
  const needed = ownSegments(recordOf(backup))
  const finished = listing.files.filter((name) => {
    const segment = name.startsWith('wal/') ? segmentIn(name.slice(4)) : undefined
    // One that is still being received gets another name at any moment.
    return segment === undefined || needed.has(segment) || !isUnfinishedFile(name)
  })
  const all = [bytePath('backup.json'), ...listing.directories, ...listing.links, ...finished]
  return all.filter((name) => !here.has(name)).map((name) => `${shownPath(name)} is missing`)
}

/** What a manifest says, by names in the backup. */
async function* sizesIn(
  manifest: ArchiveContent['manifest'],
  listing: Listing,
): AsyncGenerator<{ name: BytePath; size: number }> {
  const linked = linkedTablespacesIn(listing)
  for await (const { path, size } of manifest)
    if (!exemptFromManifest.has(path)) yield { name: nameInBackup(path, linked), size }
}

function difference(
  name: BytePath,
  wanted: number,
  sizes: ReadonlyMap<BytePath, number>,
): string | undefined {
  const size = sizes.get(name)
  if (size === undefined) return `${shownPath(name)} is missing`
  return size === wanted ? undefined : `${shownPath(name)} has ${size} bytes instead of ${wanted}`
}

function incomplete(id: string, faults: string[], said: string | undefined): PgbkError {
  const distinct = [...new Set(faults)]
  const more = distinct.length > 5 ? `; and ${distinct.length - 5} more` : ''
  const named = `${distinct.slice(0, 5).join('; ')}${more}${said === undefined ? '' : ` (${said})`}`
  return new PgbkError('damaged', `backup ${id} is incomplete: ${named}`, {
    hint: 'Choose another backup. If only files of wal/ are missing, it changed while it was read: try again.',
  })
}
