import { isDeepStrictEqual } from 'node:util'
import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import { byDirectory, type IndexedNote, type SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { WalDamage } from '../wal-reading/wal-damage.js'

/**
 * Compares the notes about the segments of a chain with what was read of all those that have one. Where one is wrong, those of its
 * archive are replaced by what was read: they are not part of the backup, and wrong ones are not a fault of it.
 * @returns how many were wrong.
 */
export async function checkNotes(
  book: SegmentNotes,
  { chain }: ArchivedWal,
  read: IndexedNote[],
  damage: WalDamage | undefined,
): Promise<number> {
  const right = new Map(read.map(({ index, note }) => [index, note]))
  const isWrong = (index: number) => {
    const [segment, found] = [chain[index], right.get(index)]
    const noted = segment ? book.fitting(segment) : []
    if (damage && damage.index <= index + 1) return noted.length > 0
    return (
      found !== undefined && noted.some((one) => one.next === found.next && !isDeepStrictEqual(one, found))
    )
  }
  const wrong = chain.flatMap(({ directory }, index) => (isWrong(index) ? [directory] : []))
  const good = byDirectory(chain, read)
  for (const directory of new Set(wrong)) await book.replace(directory, good.get(directory) ?? [])
  return wrong.length
}
