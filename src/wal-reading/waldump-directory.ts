import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { access, open, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { PgbkError } from '../errors.js'
import type { CheckOptions } from '../postgres/programs/check-backup.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import { segmentName } from '../wal-segments/lsn.js'
import { packingAt, unpackSegment, withSegmentFile } from '../wal-segments/segment-file.js'
import { makeWaldumpDirectory, removeWaldumpDirectory } from './make-waldump-directory.js'
import { damageOf } from './wal-damage.js'

/** Segments by their index in the chain. */
export interface WalStep {
  first: number
  last: number
}

/**
 * A temporary directory in which pg_waldump finds segments of a chain, whatever their form and timeline in the archive. All are named
 * as of one timeline: pg_waldump reads one only, and a child's pages may follow its parent's.
 */
export interface WaldumpDirectory {
  program: string
  directory: string
  wal: ArchivedWal
  segmentSize: number
  timeline: number
  options: CheckOptions
  /** Removes the segments from this index on. */
  clear(from: number): Promise<void>
}

/** Does work with such a directory, which is removed in any case. */
export async function withWaldumpDirectory<T>(
  program: string,
  wal: ArchivedWal,
  { env, signal }: CheckOptions,
  work: (waldump: WaldumpDirectory) => Promise<T>,
): Promise<T> {
  const directory = await makeWaldumpDirectory(env.TMPDIR || '/tmp')
  const timeline = wal.chain.at(-1)?.timeline ?? 1
  const pathAt = (index: number) => join(directory, nameAt({ wal, timeline }, index))
  const clear = async (from: number) => {
    const isTaken = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined
    for (let index = from; isTaken(pathAt(index)); index++) await rm(pathAt(index))
  }
  try {
    const options = { env, variables: { TZ: 'UTC' }, signal }
    return await work({ program, directory, wal, segmentSize: wal.segmentSize, timeline, options, clear })
  } finally {
    await removeWaldumpDirectory(directory)
  }
}

/** The name in it of the segment with this index in the chain; indexes may go beyond its end. */
export function nameAt({ wal, timeline }: Pick<WaldumpDirectory, 'wal' | 'timeline'>, index: number): string {
  const number = (wal.chain[0]?.segment ?? 0n) + BigInt(index)
  return segmentName(timeline, number, wal.segmentSize)
}

/** Where the file is that has a name in it: links in it are our own, and lead to a file of the archive, or to a link by now. */
export function pathInWaldump({ directory }: Pick<WaldumpDirectory, 'directory'>, name: string): string {
  const path = join(directory, name)
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : path
}

/**
 * Does work with segments of a chain, which gets their names in the directory. Where a receiver has renamed one, so that its link leads
 * nowhere, work that failed is done again with what has become of it: once finished and once compressed, each segment stays.
 * @param isDone whether what the work gives is not a failure. Work that throws has failed.
 */
export async function withSegments<T>(
  waldump: WaldumpDirectory,
  { first, last }: WalStep,
  work: (names: string[]) => Promise<T>,
  isDone: (result: T) => boolean = () => true,
): Promise<T> {
  for (;;) {
    const names: string[] = []
    for (let index = first; index <= last; index++) names.push(await provide(waldump, index))
    const areThere = () => names.every((name) => existsSync(join(waldump.directory, name)))
    try {
      const result = await work(names)
      if (isDone(result) || areThere()) return result
    } catch (error) {
      if (areThere()) throw error
    }
    waldump.options.signal.throwIfAborted()
  }
}

/** Links a raw segment, unpacks a compressed one, and makes one of zeros beyond the end, at which pg_waldump stops. */
async function provide(waldump: WaldumpDirectory, index: number): Promise<string> {
  const name = nameAt(waldump, index)
  const path = join(waldump.directory, name)
  const segment = waldump.wal.chain[index]
  if (existsSync(path)) return name
  await rm(path, { force: true })
  if (!segment) {
    const file = await open(path, 'w', 0o600)
    await file.truncate(waldump.segmentSize)
    await file.close()
    return name
  }
  try {
    await put(waldump, segment, path)
  } catch (error) {
    if (!(error instanceof PgbkError && error.code === 'damaged')) throw error
    const reason = error.facts.reason ?? error.message
    throw damageOf(waldump.wal.chain, index, { reason, isReadable: false }).error
  }
  return name
}

function put(
  { segmentSize, options }: WaldumpDirectory,
  segment: ArchivedSegment,
  path: string,
): Promise<void> {
  return withSegmentFile(segment, async (source) => {
    if (packingAt(source)) return unpackSegment(source, path, segmentSize, options)
    await access(source)
    await symlink(source, path)
  })
}
