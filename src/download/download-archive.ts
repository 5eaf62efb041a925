import { existsSync } from 'node:fs'
import { isLocal, type StoredBackup } from '../catalog/backup.js'
import { unlessRemoved } from '../catalog/removed-meanwhile.js'
import { selectBackup } from '../catalog/select.js'
import { localPath, resolveSource, sourceName } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { wantedOf } from '../place/contract/listing.js'
import { withWholeRecord } from '../place/encrypted/whole-record.js'
import { openPlace } from '../place/open-place.js'
import { type Compression, compressionOf, requireZstd } from '../place/tar-archive/compression.js'
import { archiveToFile, archiveToOutput } from '../place/tar-archive/write-archive.js'
import { checkWanted } from './check-destination.js'

export interface ArchiveOptions {
  from?: string
  /** The file to write; `-` is standard output. */
  archive: string
  /** For standard output. */
  compress?: Compression
  wal?: boolean
  replace?: boolean
}

export interface ArchiveResult {
  backup: StoredBackup
  location: string
  source: string
  /** Undefined for standard output. */
  file: string | undefined
  compression: Compression
  bytes: number
  durationMs: number
}

/** Writes a backup as one tar, `data/backup/<id>/...`: unpacked, it is in its place below the root that it is unpacked in. */
export async function downloadArchive(
  id: string,
  options: ArchiveOptions,
  { settings, context }: Task,
): Promise<ArchiveResult> {
  const startedAt = context.now()
  const file = options.archive === '-' ? undefined : localPath(options.archive, context.cwd)
  const compression = file === undefined ? (options.compress ?? 'none') : compressionOf(file)
  checkTarget(file, options, context)
  if (compression === 'zstd') await requireZstd(context)
  const name = sourceName(options.from, settings, settings.root)
  const source = await openPlace(name, context, settings)
  const printed = resolveSource(name, context.cwd, settings.stores)
  const backup = await withWholeRecord(source, selectBackup(await source.list(), id, context, printed))
  await checkWanted(backup, source, printed, context)
  const listing = wantedOf(await source.files(backup), backup, { noWal: options.wal === false })
  const job = { source, backup, listing, compression }
  const write = () =>
    file === undefined
      ? archiveToOutput(job, context)
      : archiveToFile(job, { file, replace: options.replace }, context)
  const bytes = await (isLocal(backup) ? unlessRemoved(backup, context, write) : write())
  const durationMs = context.now().getTime() - startedAt.getTime()
  const location = source.locationOf(backup.id)
  return { backup, location, source: name, file, compression, bytes, durationMs }
}

/** @throws {PgbkError} `usage` for a terminal, or a file that is there. */
function checkTarget(file: string | undefined, { replace }: ArchiveOptions, { stdout, pgbk }: Context): void {
  if (file === undefined) {
    if (!stdout.isTTY) return
    throw new PgbkError('usage', 'an archive cannot be written to a terminal', {
      hint: `Send it on:\n  ${pgbk('download ID --archive -')} | ssh HOST tar -xf - -C DIR`,
    })
  }
  if (!replace && existsSync(file))
    throw new PgbkError('usage', `${file} is there already`, {
      hint: 'Choose another name, or say --replace.',
    })
}
