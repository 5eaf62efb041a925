import { PgbkError } from '../../errors.js'
import { oddFile, piecesOf } from '../../system/files/read-small.js'
import type { ManifestFile } from './manifest-file.js'
import { type ManifestEnd, ManifestParser, type WalRange } from './manifest-parser.js'

export type { ManifestFile } from './manifest-file.js'

/** The files that pgbk itself changes (see arrange-snapshot), and pg_verifybackup exempts. */
export const exemptFromManifest: ReadonlySet<string> = new Set<string>([
  'postgresql.auto.conf',
  'standby.signal',
  'recovery.signal',
])

/** A thousand lines: what is done for each of them does not keep signals waiting. */
const pieceSize = 128 << 10

/**
 * The files of a manifest. It is read piece by piece, so a large one needs little memory.
 * @returns, at its end, what it says behind them.
 * @throws {PgbkError} `damaged` as soon as something is not as PostgreSQL writes it; a system error when it cannot be read.
 */
export async function* manifestFiles(manifest: string): AsyncGenerator<ManifestFile, ManifestEnd> {
  return yield* manifestNames(piecesOf(manifest, {}, pieceSize), manifest)
}

/** The same for a manifest that comes from elsewhere. @param name of it, for messages. */
export async function* manifestNames(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  name: string,
): AsyncGenerator<ManifestFile, ManifestEnd> {
  const parser = new ManifestParser(name)
  for await (const piece of pieces) yield* parser.take(piece)
  return parser.end()
}

/**
 * Hands every file of a manifest to `visit`, in less time than `manifestFiles` takes; whether the manifest is as it was written is not
 * looked at.
 * @throws as `manifestFiles`; what `visit` throws.
 */
export async function visitManifest(manifest: string, visit: (file: ManifestFile) => void): Promise<void> {
  const parser = new ManifestParser(manifest, { mayBeChanged: true })
  for await (const piece of piecesOf(manifest, {}, pieceSize))
    for (const file of parser.take(piece)) visit(file)
  parser.end()
}

/** What a manifest says behind its files. @throws as `manifestFiles`. */
async function readManifestEnd(manifest: string, rules?: { mayBeChanged: boolean }): Promise<ManifestEnd> {
  const parser = new ManifestParser(manifest, rules)
  for await (const piece of piecesOf(manifest, {}, pieceSize)) parser.take(piece)
  return parser.end()
}

/** Whether a manifest is as it was written. @throws a system error when it cannot be read. */
export async function isManifestWhole(manifest: string): Promise<boolean> {
  try {
    return (await readManifestEnd(manifest)).isWhole
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return false
    throw error
  }
}

/**
 * The WAL that a backup needs to be consistent.
 * @throws {PgbkError} `damaged` when the manifest is not as PostgreSQL writes it, or names more than one timeline.
 */
export async function readWalRange(manifest: string): Promise<WalRange> {
  const { ranges } = await readManifestEnd(manifest, { mayBeChanged: true })
  const [range] = ranges
  if (range && ranges.length === 1) return range
  throw oddFile(manifest, `names ${ranges.length} WAL ranges instead of one`)
}
