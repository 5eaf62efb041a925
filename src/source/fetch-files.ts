import { chmod, lstat, mkdir, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { segmentsOf } from '../backup/wal-archive.js'
import type { Context } from '../context.js'
import { PgbkError, systemCode } from '../errors.js'
import { checkListed } from './check-listed.js'
import type { DownloadDirectory } from './download-directory.js'
import { type Found, keepManifest, keepWhole, lookAtOld } from './keep-whole.js'
import type { Listing } from './listing.js'
import { linkedTablespacesIn, manifestName, segmentOf, someOf, tablespaceOf, walFileOf } from './names.js'
import { openReceiver, type Receiver } from './receiver.js'
import type { Source } from './source.js'

export interface FetchOptions {
  /** Leave out the WAL archive, but for the segments that the snapshot itself needs. */
  noWal: boolean
}

export interface Fetched {
  listing: Listing
  linkedTablespaces: ReadonlySet<string>
  /** Bytes that travelled. */
  received: number
}

/** Told before files travel, with the bytes that are there already. */
type Announce = (kept: number) => Promise<void>

const mostRounds = 20

/**
 * Brings all files of a backup here that are not here yet. The WAL archive may grow meanwhile, a segment be compressed or finished:
 * what was listed and has not come is looked for again, for as long as anything comes.
 * @throws {PgbkError} `failed` when the source does not send what it lists; `not-found` when the backup is removed there; a system
 * error.
 */
export async function fetchFiles(
  source: Source,
  backup: Backup,
  { layout, isResumed }: DownloadDirectory,
  options: FetchOptions,
  context: Context,
  announce: Announce,
): Promise<Fetched> {
  const { progress } = context
  const total = backup.record.size_bytes
  let [kept, received] = [0, 0]
  let listed: Listing | undefined
  const receiver = openReceiver(
    layout.directory,
    (bytes) => {
      received += bytes
      progress.bytes(received, Math.max(total - kept, received))
    },
    (name) => {
      if (name === manifestName && listed) checkListed(layout.directory, listed, source)
    },
  )
  const old = isResumed ? await lookAtOld(layout.directory) : undefined
  let complaints = ''
  for (let round = 0; round < mostRounds; round++) {
    const listing = wantedOf(await source.listing(backup), backup, options)
    listed = listing
    const linkedTablespaces = linkedTablespacesIn(listing)
    await makeDirectories(layout.directory, listing)
    if (round === 0) {
      if (old) kept = await keepOld(source, backup, old, receiver, listing, layout.directory, context)
      await announce(kept)
    }
    const before = receiver.names.size
    const missing = manifestFirst(missingOf(listing, receiver.names))
    if (missing.length > 0) complaints = await source.transfer(backup, missing, receiver)
    const left = missingOf(listing, receiver.names)
    await receiver.flushed()
    if (left.length === 0) {
      await removeOutgrown(layout.directory, receiver.names)
      await makeLinks(layout.directory, listing)
      return { listing, linkedTablespaces, received }
    }
    if (receiver.names.size > before) continue
    await source.listing(backup) // Is it gone altogether?
    throw notSent(source, left, complaints)
  }
  throw new PgbkError('failed', `${source.name} changes faster than it can be copied`)
}

/** Returns the bytes that stay. */
async function keepOld(
  source: Source,
  backup: Backup,
  old: Found,
  receiver: Receiver,
  listing: Listing,
  directory: string,
  { progress, signal }: Context,
): Promise<number> {
  if (await keepManifest(directory, old, receiver)) checkListed(directory, listing, source)
  else await source.transfer(backup, [manifestName], receiver)
  progress.step('checking what is here already')
  let [done, kept] = [0, 0]
  const { wal_segment_size: walSegmentSize } = backup.record
  await keepWhole(directory, old, receiver, {
    linkedTablespaces: linkedTablespacesIn(listing),
    walSegmentSize,
    signal,
    onBytes: (bytes) => {
      done += bytes
      progress.bytes(done, old.bytes)
    },
  })
  for (const name of receiver.names) kept += (await lstat(join(directory, name))).size
  return kept
}

/** What is to come of what is there. */
export function wantedOf(listing: Listing, { record }: Backup, { noWal }: FetchOptions): Listing {
  if (!noWal) return listing
  const { timeline, start_lsn: startLsn, stop_lsn: endLsn, wal_segment_size: size } = record
  const needed = new Set(segmentsOf({ timeline, startLsn, endLsn }, size))
  const files = listing.files.filter((name) => {
    const file = /^wal\/([^/]+)$/.exec(name)?.[1]
    return file === undefined || file.endsWith('.history') || needed.has(segmentOf(file) ?? '')
  })
  return { ...listing, files }
}

/** It tells what must be there, before all the rest has travelled. */
function manifestFirst(names: string[]): string[] {
  return names.includes(manifestName)
    ? [manifestName, ...names.filter((name) => name !== manifestName)]
    : names
}

/** A segment is there in whatever form it came; one that is not finished does not stand for one that is. */
function missingOf({ files }: Listing, here: ReadonlySet<string>): string[] {
  return files.filter((name) => {
    if (here.has(name)) return false
    const segment = segmentOf(walFileOf(name) ?? '')
    if (segment === undefined || !name.startsWith('wal/')) return true
    return !['', '.gz'].some((suffix) => here.has(`wal/${segment}${suffix}`))
  })
}

/** A segment that was finished while the archive was copied has come in both forms. */
async function removeOutgrown(directory: string, here: Set<string>): Promise<void> {
  for (const name of [...here].filter((one) => /^wal\/[^/]+\.partial$/.test(one))) {
    const segment = segmentOf(walFileOf(name) ?? '')
    if (!['', '.gz'].some((suffix) => here.has(`wal/${segment}${suffix}`))) continue
    await unlink(join(directory, name))
    here.delete(name)
  }
}

async function makeDirectories(directory: string, { directories }: Listing): Promise<void> {
  for (const name of [...directories].sort()) {
    const path = join(directory, name)
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
  for (const link of links) await symlink(`../../tablespaces/${tablespaceOf(link)}`, join(directory, link))
}

function notSent({ name }: Source, left: string[], complaints: string): PgbkError {
  const message = `${name} does not send ${someOf(left)}${complaints && `: ${complaints}`}`
  if (!/permission denied/i.test(complaints)) return new PgbkError('failed', message)
  return new PgbkError('failed', message, {
    hint: 'Read it there as the user whom the backups belong to.',
  })
}
