import { Parser, type ReadEntry } from 'tar'
import { PgbkError } from '../../errors.js'
import { type ManifestFile, manifestNames } from '../../snapshot/manifest/manifest.js'
import { mostBytes } from '../../system/files/read-small.js'
import type { BytePath } from '../../system/paths/byte-path.js'
import { archiveNames, type Listing } from '../contract/listing.js'
import { manifestName, tablespaceOf } from '../contract/names.js'
import { AskedNames } from '../ssh/asked-names.js'

/** What a tar had. */
export interface SeenTar {
  /** The bytes of each entry by its name in the backup. */
  sizes: Map<BytePath, number>
  /** May be read more than once. */
  manifest: AsyncIterable<ManifestFile>
}

/** Looks at a tar while it passes. */
interface TarWatch {
  look(chunk: Buffer): void
  /** After the end. @throws {PgbkError} `damaged` when it was no whole tar. */
  end(): SeenTar
}

/**
 * For the archive of one backup. It has nothing but what is listed: somebody will unpack it, and trust it.
 * @throws {PgbkError} `damaged`, from `look`, before the piece with anything else in it is passed on.
 */
export function watchTar(id: string, listing: Listing): TarWatch {
  const top = `data/backup/${id}/`
  const sizes = new Map<BytePath, number>()
  const manifest: Buffer[] = []
  const listed = new AskedNames(archiveNames(id, listing))
  const links = new Set(listing.links.map((name) => top + name))
  const inBackup = (path: BytePath) => path.slice(top.length) as BytePath
  let broken: string | undefined
  const parser = new Parser({
    onReadEntry: (entry: ReadEntry) => {
      const path = listed.take(entry.path.replace(/\/$/, ''))
      broken ??= faultOf(entry, path, listed, links)
      const name = inBackup(path ?? ('' as BytePath))
      // A hard link has no size of its own.
      const target = entry.type === 'Link' ? listed.find(entry.linkpath ?? '') : undefined
      const linked = target && sizes.get(inBackup(target))
      sizes.set(name, linked ?? entry.size)
      if (name === manifestName && entry.size > mostBytes.manifest) broken ??= 'its manifest has no end'
      if (name === manifestName && broken === undefined) entry.on('data', (bytes) => manifest.push(bytes))
      else entry.resume()
    },
    onwarn: (_code, message) => {
      broken ??= String(message)
    },
  })
  return {
    look: (chunk) => {
      parser.write(chunk)
      if (broken !== undefined) throw new PgbkError('damaged', `the tar is broken: ${broken}`)
    },
    end: () => {
      parser.end()
      if (broken !== undefined) throw new PgbkError('damaged', `the tar is broken: ${broken}`)
      return { sizes, manifest: { [Symbol.asyncIterator]: () => manifestNames(manifest, manifestName) } }
    },
  }
}

/** What is wrong with an entry, whatever is in it. */
function faultOf(
  { path, type, linkpath }: ReadEntry,
  name: BytePath | undefined,
  listed: AskedNames,
  links: ReadonlySet<string>,
): string | undefined {
  const named = `it has ${JSON.stringify(path)} as a ${type}`
  if (name === undefined) return `${named}, which was not asked for`
  if (type === 'Link') return listed.find(linkpath ?? '') ? undefined : named
  if (type !== 'SymbolicLink')
    return ['File', 'OldFile', 'ContiguousFile', 'Directory', 'GNUDumpDir'].includes(type) ? undefined : named
  const oid = links.has(name) ? tablespaceOf(name.split('/').slice(3).join('/')) : undefined
  return oid !== undefined && linkpath === `../../tablespaces/${oid}` ? undefined : `${named} to ${linkpath}`
}
