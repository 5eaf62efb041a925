import { readArchive, usableSegments } from '../wal-archive/archive-index.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { PooledBackup } from '../wal-archive/wal-pool.js'
import type { JoiningOptions } from '../wal-coverage/joined-wal.js'
import { readAround } from '../wal-reading/read-around.js'
import type { WalDamage } from '../wal-reading/wal-damage.js'
import { pathOf } from '../wal-segments/archive-segments.js'
import { sameContent } from '../wal-segments/same-content.js'

export interface NeededWalOptions extends Omit<JoiningOptions, 'timeline' | 'damaged' | 'without'> {
  notes: SegmentNotes
  /** Which copies were found to be the same. */
  same: Map<string, boolean>
}

/**
 * The segments of a chain that are damaged and of which an archive that is to go has other copies: before those are thrown away, it has
 * to be known. All others are not read.
 * @param most so many are enough.
 */
export async function damagedBeside(
  going: string,
  backup: PooledBackup,
  wal: ArchivedWal,
  options: NeededWalOptions,
  most = Number.POSITIVE_INFINITY,
): Promise<{ segment: ArchivedSegment; damage: WalDamage }[]> {
  const copies = finishedIn(going, wal.segmentSize)
  const found: { segment: ArchivedSegment; damage: WalDamage }[] = []
  for (const [index, one] of wal.chain.entries()) {
    const copy = copies.get(one.name)
    if (found.length >= most) return found
    if (!copy || one.directory === going || one.form === 'partial') continue
    if (await isSame(one, copy, wal.segmentSize, options)) continue
    const damage = await readAround(backup, wal, index, options)
    if (damage) found.push({ segment: one, damage })
  }
  return found
}

function finishedIn(archive: string, segmentSize: number): Map<string, ArchivedSegment> {
  const usable = usableSegments(readArchive(archive, segmentSize))
  return new Map(usable.filter(({ form }) => form !== 'partial').map((one) => [one.name, one]))
}

async function isSame(
  one: ArchivedSegment,
  copy: ArchivedSegment,
  segmentSize: number,
  { notes, same }: NeededWalOptions,
): Promise<boolean> {
  const key = `${pathOf(one)} ${pathOf(copy)}`
  const known = same.get(key)
  if (known !== undefined) return known
  const digests = notes.fitting(one).map(({ digest }) => digest)
  const isNoted = notes.fitting(copy).some(({ digest }) => digests.includes(digest))
  const found = isNoted || (await sameContent(one, copy, { segmentSize })) === 'same'
  same.set(key, found)
  return found
}
