import { basename } from 'node:path'
import type { DamagedCopies } from '../wal-archive/archive-index.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { PooledBackup, WalPool } from '../wal-archive/wal-pool.js'
import { readAround } from '../wal-reading/read-around.js'
import type { WalDamage } from '../wal-reading/wal-damage.js'
import { pathOf } from '../wal-segments/archive-segments.js'
import { sameContent } from '../wal-segments/same-content.js'
import { segmentFileOf } from '../wal-segments/segment-forms.js'
import { type JoiningOptions, joinedWal } from './joined-wal.js'

interface SoundOptions extends Omit<JoiningOptions, 'damaged'> {
  notes?: SegmentNotes | undefined
}

/**
 * The WAL that a backup can replay, as `joinedWal` finds it, with sound copies of segments that are damaged in one archive and not in
 * another.
 * @param look finds the first damage in a chain, as far as that is to be known.
 * @returns what it has seen in the last one.
 * @throws as `joinedWal`.
 */
export async function soundWal<Seen extends { damage: WalDamage | undefined }>(
  backup: PooledBackup,
  pool: WalPool,
  options: SoundOptions,
  look: (wal: ArchivedWal) => Promise<Seen>,
): Promise<Seen> {
  let damaged = new Map(pool.damaged)
  // What has taken their place for others may be none for this backup.
  if (damaged.size > 0 && endsAtOneOf(damaged, await joinedWal(backup, pool, { ...options, damaged })))
    damaged = new Map()
  for (;;) {
    const joined = await joinedWal(backup, pool, { ...options, damaged })
    const wal = Object.assign(joined, { replaced: replacedIn(joined, damaged) })
    const seen = await look(wal)
    const more = seen.damage && (await othersFor(seen.damage, wal, damaged, { backup, pool, options }))
    if (!more) return seen
    for (const [path, reason] of more) pool.damaged.set(path, reason)
    damaged = more
  }
}

function endsAtOneOf(damaged: DamagedCopies, { gap }: ArchivedWal): boolean {
  return gap !== undefined && [...damaged.keys()].some((path) => nameIn(path) === gap.missing)
}

function nameIn(path: string): string {
  return segmentFileOf(basename(path))?.name ?? ''
}

function replacedIn({ runs }: ArchivedWal, damaged: DamagedCopies): DamagedCopies {
  const isOnTheWay = (path: string) =>
    runs.some(({ from, to }) => from.name <= nameIn(path) && nameIn(path) <= to.name)
  return new Map([...damaged].filter(([path]) => isOnTheWay(path)))
}

interface Search {
  backup: PooledBackup
  pool: WalPool
  options: SoundOptions
}

/**
 * The copies that are damaged, when without them the chain goes on over the place of a damage; undefined where nothing helps. A record
 * that begins in the segment at fault may be damaged in the next one.
 */
async function othersFor(
  { index, reason }: WalDamage,
  { chain }: ArchivedWal,
  damaged: DamagedCopies,
  search: Search,
): Promise<Map<string, string> | undefined> {
  const both = chain.slice(index, index + 2)
  for (const doubted of [both.slice(0, 1), both.slice(1), both]) {
    const found = doubted.length > 0 && (await without(doubted, { at: both[0], reason }, damaged, search))
    if (found) return found
  }
  return undefined
}

/** The same for some segments of the chain, and for copies of them that are no better. */
async function without(
  doubted: ArchivedSegment[],
  { at, reason }: { at: ArchivedSegment | undefined; reason: string },
  damaged: DamagedCopies,
  { backup, pool, options }: Search,
): Promise<Map<string, string> | undefined> {
  const found = new Map(damaged)
  for (let copies = doubted, why = reason; ; ) {
    for (const one of copies) found.set(pathOf(one), why)
    if (copies.some(({ name }) => pool.copiesOf(backup, name, found).length === 0)) return undefined
    const wal = await joinedWal(backup, pool, { ...options, damaged: found })
    const index = wal.chain.findIndex(({ segment }) => segment === at?.segment)
    const others = copies.flatMap(({ name }) => wal.chain.find((one) => one.name === name) ?? [])
    if (index === -1 || others.length < copies.length) return undefined
    if (await haveSame(copies, others, wal.segmentSize)) return undefined
    const damage = await readAround(backup, wal, index, options)
    if (!damage) return found
    copies = others
    why = damage.reason
  }
}

/** Whether a copy is like the one in whose place it is. */
async function haveSame(
  copies: ArchivedSegment[],
  others: ArchivedSegment[],
  segmentSize: number,
): Promise<boolean> {
  for (const one of copies) {
    const other = others.find(({ name }) => name === one.name)
    if (other && (await sameContent(one, other, { segmentSize })) === 'same') return true
  }
  return false
}
