import { closeSync, existsSync, fstatSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { PgbkError, systemCode } from '../errors.js'
import { openRegular } from '../read-small.js'
import { type ArchivedWal, readArchivedWal } from './archived-wal.js'
import type { Backup, Catalog } from './catalog.js'
import { clusterOf } from './check-cluster.js'
import { whyNotLatest } from './select.js'

/**
 * The newest of the older backups whose WAL archive goes on where that of a backup ends: the receiver of that archive, or its
 * server, has ended before this backup could take over. Only one of the same cluster and history will do, which no check has failed.
 * @param timeline the one to go to, in place of the newest.
 */
export function withFurtherArchive(
  newest: Backup,
  { backups }: Pick<Catalog, 'backups'>,
  timeline?: number,
): Backup | undefined {
  const wal = readArchivedWal(newest.layout.wal, newest.summary, timeline)
  const last = wal.chain.at(-1)
  const cluster = clusterOf(newest)
  if (!last || cluster === undefined) return undefined
  const reached = reachOf(wal)
  return backups.find((older) => {
    if (older.id >= newest.id || !hasSegment(older.layout.wal, last.name)) return false
    if (whyNotLatest(older) !== undefined || clusterOf(older) !== cluster) return false
    const archived = readUsable(older, timeline)
    const goesOn = archived?.chain.some(({ name }) => name === last.name) ?? false
    return archived !== undefined && goesOn && reachOf(archived) > reached
  })
}

/** Undefined for what is no archive: nobody has asked for that one. */
function readUsable({ layout, summary }: Backup, timeline: number | undefined): ArchivedWal | undefined {
  try {
    return readArchivedWal(layout.wal, summary, timeline)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    throw error
  }
}

/** In any form: most older archives have not, and need not be read. In the order in which a receiver renames. */
function hasSegment(archive: string, name: string): boolean {
  return ['.partial', '', '.gz'].some((ending) => existsSync(join(archive, name + ending)))
}

/** The position up to which an archive has WAL. */
function reachOf({ chain, segmentSize }: ArchivedWal): bigint {
  const last = chain.at(-1)
  if (!last) return 0n
  const bytes = last.form === 'partial' ? writtenTo(join(last.directory, last.file)) : undefined
  return last.segment * BigInt(segmentSize) + BigInt(bytes ?? segmentSize)
}

const blockSize = 64 * 1024

/** The bytes of an unfinished segment before the zeros at its end; undefined when it has been finished meanwhile. */
function writtenTo(path: string): number | undefined {
  try {
    const file = openRegular(path)
    try {
      return endOfContent(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function endOfContent(file: number): number {
  const zeros = Buffer.alloc(blockSize)
  const block = Buffer.alloc(blockSize)
  for (let end = fstatSync(file).size; end > 0; end -= blockSize) {
    const start = Math.max(0, end - blockSize)
    const read = block.subarray(0, readSync(file, block, 0, end - start, start))
    if (read.equals(zeros.subarray(0, read.length))) continue
    return start + read.findLastIndex((byte) => byte !== 0) + 1
  }
  return 0
}
