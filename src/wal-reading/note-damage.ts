import { isDeepStrictEqual } from 'node:util'
import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import { addDamageNote, type FilesAround, filesAround } from '../wal-archive/notes/damage-notes.js'
import type { WalDamage } from './wal-damage.js'
import type { WalStep } from './waldump-directory.js'

/**
 * For whoever is about to read some segments of a chain: notes the damage that they then find, beside the segment, so that those tell it
 * who do not read all. Not where the segment is unfinished, or was not the same before.
 */
export function damageNoter(
  { chain }: Pick<ArchivedWal, 'chain'>,
  { first, last }: WalStep,
  backups: string,
): (damage: WalDamage) => Promise<void> {
  const before = new Map<number, FilesAround>()
  // A record that begins in the last one may end in a later one.
  for (let index = first; index <= last + 1; index++) before.set(index, filesAround(chain, index))
  return async ({ index, reason, isReadable }) => {
    const [segment, files] = [chain[index], before.get(index)]
    const [previous, own, next] = files ?? []
    if (!segment || segment.form === 'partial' || typeof own !== 'string') return
    if (!isDeepStrictEqual(filesAround(chain, index), files)) return
    const around: [string | null, string, string | null] = [previous ?? null, own, next ?? null]
    const note = { name: segment.name, files: around, reason, is_readable: isReadable }
    await addDamageNote(segment.directory, note, backups)
  }
}
