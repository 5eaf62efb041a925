import { lstatSync } from 'node:fs'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import type { RootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { readArchive, usableSegments } from '../wal-archive/archive-index.js'
import { type ArchivedSegment, lastOf, readArchivedWal } from '../wal-archive/archived-wal.js'
import { unlessNone } from '../wal-archive/pool-listing.js'
import type { JoiningOptions } from '../wal-coverage/joined-wal.js'
import { moveWal, type WalMove } from '../wal-coverage/move-wal.js'
import { neededWal } from './needed-wal.js'
import { sizeText } from './remove-keeping-wal.js'

/**
 * Before a download takes the place of the same backup: what that one's archive has beyond the download's goes into it, and to other backups
 * what these need of it.
 * @param download complete, and not yet in its place.
 * @param grows a receiver writes into that archive: what comes meanwhile is of the next call, which is the last one when it does not.
 * @throws {PgbkError} `failed` when WAL would be lost that nothing else has, since it does not go on from what was downloaded.
 */
export async function keepReplacedWal(
  root: RootLayout,
  download: LocalBackup,
  { joining, grows }: { joining: JoiningOptions; grows: boolean },
  { progress }: Pick<Context, 'progress'>,
): Promise<void> {
  const { id } = download
  const old = { ...download, directory: root.backup(id) }
  if (!lstatSync(layoutOf(old).wal, { throwIfNoEntry: false })?.isDirectory()) return
  const { rejected, backups } = readCatalog(root.root)
  const others = backups.filter((one) => one.id !== id)
  const catalog = {
    root: root.root,
    backups: [...others, old, download],
    rejected: rejected.filter(({ name }) => name !== id),
  }
  const removal = { catalog, going: [old], promised: [...others, download] }
  const moves = await neededWal(removal, joining)(old)
  for (const move of moves) {
    await moveWal(move)
    if (move.segments.length > 0) progress.say(keptText(move))
  }
  if (!grows) checkNothingLost(old, download, others)
}

function keptText({ from, to, segments }: WalMove): string {
  const where = from.id === to.id ? 'is kept' : `moves to ${to.id}, which still needs it`
  return `the WAL that ${from.id} had here beyond what was downloaded (${sizeText(segments)}) ${where}`
}

function checkNothingLost(old: LocalBackup, download: LocalBackup, others: LocalBackup[]): void {
  const { summary } = download
  const layout = layoutOf(download)
  const end = lastOf(readArchivedWal(layout.wal, summary))?.segment ?? -1n
  const kept = new Set([download, ...others].flatMap(usableOf).map(({ name }) => name))
  const lost = usableOf(old).filter(({ name, segment }) => segment > end && !kept.has(name))
  const names = lost.map(({ name }) => name).sort()
  if (names.length === 0) return
  throw new PgbkError(
    'failed',
    `${layoutOf(old).wal} has WAL that exists nowhere else, and that does not continue what was downloaded: ${names[0]} to ${names.at(-1)}`,
    {
      hint: 'Move it elsewhere if it is not needed here, and try again; or download into another directory with --to.',
    },
  )
}

function usableOf(backup: LocalBackup): ArchivedSegment[] {
  const archive = unlessNone(() => readArchive(layoutOf(backup).wal, backup.summary.wal_segment_size))
  return archive ? usableSegments(archive) : []
}
