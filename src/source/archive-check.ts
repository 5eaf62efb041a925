import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { Parser, type ReadEntry } from 'tar'
import type { Backup } from '../backup/catalog.js'
import { exemptFromManifest, type ManifestFile, parseLine } from '../backup/manifest.js'
import { segmentsOf } from '../backup/wal-archive.js'
import { PgbkError } from '../errors.js'
import type { Listing } from './listing.js'
import { manifestName, nameInBackup, segmentOf, tablespaceOf } from './names.js'

/** Looks at an archive while it passes. */
export interface ArchiveCheck {
  look(chunk: Buffer): void
  /**
   * After the end of the tar.
   * @throws {PgbkError} `damaged` when something is missing in it or has another size than its manifest says; `failed` when what is
   * there has changed meanwhile.
   */
  finish(complaints: string): Promise<void>
}

/** Names and sizes are compared with the list and the manifest; what is in the files is not looked at. */
export function openArchiveCheck(backup: Backup, listing: Listing): ArchiveCheck {
  const top = `data/backup/${backup.id}/`
  const sizes = new Map<string, number>()
  const manifest: Buffer[] = []
  let broken: string | undefined
  const parser = new Parser({
    onReadEntry: (entry: ReadEntry) => {
      const name = entry.path.startsWith(top) ? entry.path.slice(top.length).replace(/\/$/, '') : ''
      sizes.set(name, sizeOf(entry, sizes, top))
      if (name === manifestName) entry.on('data', (bytes) => manifest.push(bytes))
      else entry.resume()
    },
    onwarn: (_code, message) => {
      broken ??= String(message)
    },
  })
  return {
    look: (chunk) => void parser.write(chunk),
    async finish(complaints) {
      parser.end()
      if (broken !== undefined) throw new PgbkError('damaged', `the tar is broken: ${broken}`)
      const said = unexpected(complaints, top)
      const faults = [
        ...missingNames(backup, listing, sizes),
        ...(await differences(Readable.from(manifest), listing, sizes)),
      ]
      if (faults.length > 0) throw incomplete(backup.id, faults, said)
      if (said !== undefined) throw new PgbkError('failed', `the backup cannot be read: ${said}`)
    },
  }
}

/** A hard link has no size of its own. */
function sizeOf({ type, size, linkpath = '' }: ReadEntry, sizes: Map<string, number>, top: string): number {
  return type === 'Link' ? (sizes.get(linkpath.slice(top.length)) ?? -1) : size
}

/** What tar says of files that must stay as they are; those of the WAL archive come and change while it is read. */
function unexpected(complaints: string, top: string): string | undefined {
  const lines = complaints.split('\n').filter(Boolean)
  return lines.find(
    (line) => !line.includes(`${top}wal/`) && !/tar: (Exiting with|Error exit|Removing leading)/.test(line),
  )
}

function missingNames({ record }: Backup, listing: Listing, here: ReadonlyMap<string, number>): string[] {
  const { timeline, start_lsn: startLsn, stop_lsn: endLsn, wal_segment_size: size } = record
  const needed = new Set(segmentsOf({ timeline, startLsn, endLsn }, size))
  const finished = listing.files.filter((name) => {
    const segment = name.startsWith('wal/') ? segmentOf(name.slice(4)) : undefined
    // One that is still being received gets another name at any moment.
    return segment === undefined || needed.has(segment) || !name.endsWith('.partial')
  })
  const all = ['backup.json', ...listing.directories, ...listing.links, ...finished]
  return all.filter((name) => !here.has(name)).map((name) => `${name} is missing`)
}

async function differences(
  manifest: Readable,
  { links }: Listing,
  sizes: ReadonlyMap<string, number>,
): Promise<string[]> {
  const linked = new Set(links.flatMap((link) => tablespaceOf(link) ?? []))
  const faults: string[] = []
  for await (const line of createInterface({ input: manifest })) {
    const file = parseLine(line)
    const fault = file && !exemptFromManifest.has(file.path) ? difference(file, linked, sizes) : undefined
    if (fault !== undefined) faults.push(fault)
  }
  return faults
}

function difference(
  file: ManifestFile,
  linked: ReadonlySet<string>,
  sizes: ReadonlyMap<string, number>,
): string | undefined {
  const name = nameInBackup(file.path, linked)
  const size = sizes.get(name)
  if (size === undefined) return `${name} is missing`
  return size === file.size ? undefined : `${name} has ${size} bytes instead of ${file.size}`
}

function incomplete(id: string, faults: string[], said: string | undefined): PgbkError {
  const more = faults.length > 5 ? `; and ${faults.length - 5} more` : ''
  const named = `${[...new Set(faults)].slice(0, 5).join('; ')}${more}${said === undefined ? '' : ` (${said})`}`
  return new PgbkError('damaged', `backup ${id} is not all there: ${named}`, {
    hint: 'Choose another backup. If only files of wal/ are missing, it changed while it was read: try again.',
  })
}
