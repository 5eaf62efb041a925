import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Writable } from 'node:stream'
import type { Backup } from '../backup/catalog.js'
import { syncPath } from '../backup/durable.js'
import { selectBackup } from '../backup/select.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { openArchiveCheck } from '../source/archive-check.js'
import { checkUnused } from '../source/check-destination.js'
import { type Compress, type Compression, compressionOf, openCompression } from '../source/compression.js'
import { explained } from '../source/explain.js'
import { wantedOf } from '../source/fetch-files.js'
import { openSource } from '../source/open-source.js'
import type { Source } from '../source/source.js'
import { sourceName } from '../source/source-name.js'

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
  backup: Backup
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
  settings: Settings,
  context: Context,
): Promise<ArchiveResult> {
  const startedAt = context.now()
  const file = options.archive === '-' ? undefined : resolve(context.cwd, options.archive)
  const compression = file === undefined ? (options.compress ?? 'none') : compressionOf(file)
  checkTarget(file, options.replace ?? false, context)
  const compress = await openCompression(compression, context)
  const name = sourceName(options.from, settings, settings.root)
  const source = openSource(name, context)
  const backup = selectBackup(await source.catalog(), id, context.progress.warn)
  checkUnused(backup, source)
  const write = (sink: Writable) => writeTar(source, backup, options.wal === false, compress, sink, context)
  const bytes = file === undefined ? await toOutput(write, context) : await toFile(file, options, write)
  const durationMs = context.now().getTime() - startedAt.getTime()
  return { backup, source: name, file, compression, bytes, durationMs }
}

/** @throws {PgbkError} `usage` for a terminal, or a file that is there. */
function checkTarget(file: string | undefined, replace: boolean, { stdout }: Context): void {
  if (file === undefined) {
    if (!stdout.isTTY) return
    throw new PgbkError('usage', 'an archive is nothing for a terminal', {
      hint: 'Send it on:  pgbk download ID --archive - | ssh HOST tar -xf - -C DIR',
    })
  }
  if (!replace && existsSync(file))
    throw new PgbkError('usage', `${file} is there already`, {
      hint: 'Choose another name, or say --replace.',
    })
}

async function writeTar(
  source: Source,
  backup: Backup,
  noWal: boolean,
  compress: Compress,
  sink: Writable,
  { progress }: Context,
): Promise<void> {
  const listing = wantedOf(await source.listing(backup), backup, { noWal })
  const check = openArchiveCheck(backup, listing)
  const complaints = await source.archive(backup, listing, async (tar) => {
    let done = 0
    await compress(
      (async function* () {
        for await (const chunk of tar) {
          check.look(chunk)
          done += chunk.length
          progress.bytes(done, backup.record.size_bytes)
          yield chunk
        }
      })(),
      sink,
    )
  })
  await check.finish(complaints)
}

/** The file has its name only when it is complete and on disk. */
async function toFile(
  file: string,
  { replace }: ArchiveOptions,
  write: (sink: Writable) => Promise<void>,
): Promise<number> {
  const part = `${file}.${randomBytes(4).toString('hex')}.part`
  try {
    const handle = await open(part, 'wx', 0o600)
    await write(createWriteStream(part, { fd: handle, highWaterMark: 1 << 20 }))
    await syncPath(part)
    const { size } = await stat(part)
    checkStillFree(file, replace ?? false)
    await rename(part, file)
    await syncPath(dirname(file))
    return size
  } catch (cause) {
    await rm(part, { force: true })
    throw explained(cause, `write ${file}`)
  }
}

function checkStillFree(file: string, replace: boolean): void {
  if (!replace && existsSync(file))
    throw new PgbkError('failed', `${file} came there meanwhile`, { hint: 'Choose another name.' })
}

async function toOutput(write: (sink: Writable) => Promise<void>, { stdout }: Context): Promise<number> {
  let bytes = 0
  const sink = new Writable({
    highWaterMark: 1 << 20,
    write: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length
      stdout.write(chunk, (error) => done(error ?? undefined))
    },
  })
  try {
    await write(sink)
  } catch (cause) {
    throw explained(cause, 'write to standard output')
  }
  return bytes
}
