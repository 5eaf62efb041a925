import { Parser, type ReadEntry } from 'tar'
import { filesIn, type ManifestFile } from '../backup/manifest.js'
import { PgbkError } from '../errors.js'
import { mostBytes } from '../read-small.js'
import { manifestName } from './names.js'

/** What a tar had. */
export interface SeenTar {
  /** The bytes of each entry by its name in the backup. */
  sizes: Map<string, number>
  /** May be read more than once. */
  manifest: AsyncIterable<ManifestFile>
}

/** Looks at a tar while it passes. */
export interface TarWatch {
  look(chunk: Buffer): void
  /** After the end. @throws {PgbkError} `damaged` when it was no whole tar. */
  end(): SeenTar
}

/** For the archive of one backup. */
export function watchTar(id: string): TarWatch {
  const top = `data/backup/${id}/`
  const sizes = new Map<string, number>()
  const manifest: Buffer[] = []
  let broken: string | undefined
  const parser = new Parser({
    onReadEntry: (entry: ReadEntry) => {
      const name = entry.path.startsWith(top) ? entry.path.slice(top.length).replace(/\/$/, '') : ''
      // A hard link has no size of its own.
      const linked = entry.type === 'Link' ? sizes.get(entry.linkpath?.slice(top.length) ?? '') : undefined
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
    look: (chunk) => void parser.write(chunk),
    end: () => {
      parser.end()
      if (broken !== undefined) throw new PgbkError('damaged', `the tar is broken: ${broken}`)
      return { sizes, manifest: { [Symbol.asyncIterator]: () => filesIn(manifest, manifestName) } }
    },
  }
}
