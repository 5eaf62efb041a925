import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { access, open, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { PgbkError } from '../errors.js'
import type { CheckOptions } from '../postgres/programs/check-backup.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import { segmentName } from '../wal-segments/lsn.js'
import { packingAt, unpackSegment, withSegmentFile } from '../wal-segments/segment-file.js'
import { makeDesk, removeDesk } from './make-waldump-directory.js'
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
export interface SegmentDesk {
  program: string
  directory: string
  wal: ArchivedWal
  segmentSize: number
  timeline: number
  options: CheckOptions
  /** Removes the segments from this index on. */
  clear(from: number): Promise<void>
}

/** Does work with a desk, which goes in any case. */
export async function withSegmentDesk<T>(
  program: string,
  wal: ArchivedWal,
  { env, signal }: CheckOptions,
  work: (desk: SegmentDesk) => Promise<T>,
): Promise<T> {
  const directory = await makeDesk(env.TMPDIR || '/tmp')
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
    await removeDesk(directory)
  }
}

/** The name on the desk of the segment with this index in the chain; indexes may go beyond its end. */
export function nameAt({ wal, timeline }: Pick<SegmentDesk, 'wal' | 'timeline'>, index: number): string {
  const number = (wal.chain[0]?.segment ?? 0n) + BigInt(index)
  return segmentName(timeline, number, wal.segmentSize)
}

/** Where the file is that has a name on the desk: links on it are our own, and lead to a file of the archive, or to a link by now. */
export function fileOnDesk({ directory }: Pick<SegmentDesk, 'directory'>, name: string): string {
  const path = join(directory, name)
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : path
}

/**
 * Does work with segments of a chain, which gets their names on the desk. Where a receiver has renamed one, so that its link leads
 * nowhere, work that failed is done again with what has become of it: once finished and once compressed, each segment stays.
 * @param isDone whether what the work gives is not a failure. Work that throws has failed.
 */
export async function withSegments<T>(
  desk: SegmentDesk,
  { first, last }: WalStep,
  work: (names: string[]) => Promise<T>,
  isDone: (result: T) => boolean = () => true,
): Promise<T> {
  for (;;) {
    const names: string[] = []
    for (let index = first; index <= last; index++) names.push(await provide(desk, index))
    const areThere = () => names.every((name) => existsSync(join(desk.directory, name)))
    try {
      const result = await work(names)
      if (isDone(result) || areThere()) return result
    } catch (error) {
      if (areThere()) throw error
    }
    desk.options.signal.throwIfAborted()
  }
}

/** Links a raw segment, unpacks a compressed one, and makes one of zeros beyond the end, at which pg_waldump stops. */
async function provide(desk: SegmentDesk, index: number): Promise<string> {
  const name = nameAt(desk, index)
  const path = join(desk.directory, name)
  const segment = desk.wal.chain[index]
  if (existsSync(path)) return name
  await rm(path, { force: true })
  if (!segment) {
    const file = await open(path, 'w', 0o600)
    await file.truncate(desk.segmentSize)
    await file.close()
    return name
  }
  try {
    await put(desk, segment, path)
  } catch (error) {
    if (!(error instanceof PgbkError && error.code === 'damaged')) throw error
    const reason = error.facts.reason ?? error.message
    throw damageOf(desk.wal.chain, index, { reason, isReadable: false }).error
  }
  return name
}

function put({ segmentSize }: SegmentDesk, segment: ArchivedSegment, path: string): Promise<void> {
  return withSegmentFile(segment, async (source) => {
    if (packingAt(source)) return unpackSegment(source, path, segmentSize)
    await access(source)
    await symlink(source, path)
  })
}
