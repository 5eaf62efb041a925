import { basename } from 'node:path'
import type { DamagedCopies } from '../wal-archive/archive-index.js'
import {
  type ArchivedSegment,
  type ArchivedWal,
  type ArchiveGap,
  fromSegment,
  lastOf,
} from '../wal-archive/archived-wal.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { PooledBackup, WalPool } from '../wal-archive/wal-pool.js'
import { findReadableEnd } from '../wal-reading/archive-end.js'
import { readAround } from '../wal-reading/read-around.js'
import { upTo, type WalDamage } from '../wal-reading/wal-damage.js'
import { nameIn, pathOf } from '../wal-segments/archive-segments.js'
import { parseLsn } from '../wal-segments/lsn.js'
import { sameContent } from '../wal-segments/same-content.js'
import { isUnfinishedFile } from '../wal-segments/segment-forms.js'
import type { Unpacking } from '../wal-segments/unpacked-pieces.js'
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
    const replaced = replacedIn(joined, damaged)
    const wal = Object.assign(joined, { replaced, gap: gapAtEnd(joined, replaced) ?? joined.gap })
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

function replacedIn({ runs }: ArchivedWal, damaged: DamagedCopies): DamagedCopies {
  const isOnTheWay = (path: string) =>
    runs.some(({ from, to }) => from.name <= nameIn(path) && nameIn(path) <= to.name)
  return new Map([...damaged].filter(([path]) => isOnTheWay(path)))
}

/** The end is a copy that is unfinished, in the place of a finished one that is damaged. */
function gapAtEnd({ runs, gap }: ArchivedWal, replaced: DamagedCopies): ArchiveGap | undefined {
  const { from, to } = runs.at(-1) ?? {}
  if (!from || !to || to.form !== 'partial') return undefined
  const [, reason] =
    [...replaced].find(([path]) => nameIn(path) === to.name && !isUnfinishedFile(basename(path))) ?? []
  const after = from === to ? runs.at(-2)?.to.name : undefined
  return reason === undefined ? undefined : { after, missing: to.name, next: gap?.next, reason }
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
  damage: WalDamage,
  wal: ArchivedWal,
  damaged: DamagedCopies,
  search: Search,
): Promise<Map<string, string> | undefined> {
  const both = wal.chain.slice(damage.index, damage.index + 2)
  for (const doubted of [both.slice(0, 1), both.slice(1), both]) {
    const found = doubted.length > 0 && (await without(doubted, { before: wal, damage }, damaged, search))
    if (found) return found
  }
  return undefined
}

/** The same for some segments of the chain, and for copies of them that are no better. */
async function without(
  doubted: ArchivedSegment[],
  { before, damage }: { before: ArchivedWal; damage: WalDamage },
  damaged: DamagedCopies,
  { backup, pool, options }: Search,
): Promise<Map<string, string> | undefined> {
  const found = new Map(damaged)
  const at = before.chain[damage.index]
  for (let copies = doubted, why = damage.reason; ; ) {
    for (const one of copies) found.set(pathOf(one), why)
    if (copies.some(({ name }) => pool.copiesOf(backup, name, found).length === 0)) return undefined
    const wal = await joinedWal(backup, pool, { ...options, damaged: found })
    const index = wal.chain.findIndex(({ segment }) => segment === at?.segment)
    const others = copies.flatMap(({ name }) => wal.chain.find((one) => one.name === name) ?? [])
    if (index === -1 || others.length < copies.length) return undefined
    const isSame = await haveSame(copies, others, { ...options, segmentSize: wal.segmentSize })
    const fault = isSame ? why : await faultOf(wal, index, { before, damage, backup, options })
    if (fault === undefined) return found
    copies = others
    why = fault
  }
}

/** Why a chain is no better at a segment than the one before; undefined where it is. */
async function faultOf(
  wal: ArchivedWal,
  index: number,
  { before, damage, backup, options }: Omit<Search, 'pool'> & { before: ArchivedWal; damage: WalDamage },
): Promise<string | undefined> {
  if (wal.chain[index]?.form !== 'partial') return (await readAround(backup, wal, index, options))?.reason
  return (await endsLater(wal, upTo(before, damage), backup, options)) ? undefined : damage.reason
}

/** Whether more can be read of a chain that ends in an unfinished segment than of one that ends in a damaged copy of it. */
async function endsLater(
  wal: ArchivedWal,
  other: ArchivedWal,
  { summary }: PooledBackup,
  options: SoundOptions,
): Promise<boolean> {
  const major = Number.parseInt(summary.server.version, 10)
  const search = { ...options, major, installations: await options.installations() }
  const from = (lastOf(wal)?.segment ?? 0n) - 1n
  const endOf = async (one: ArchivedWal) => {
    const end = one.runs.length > 0 && (await findReadableEnd({ ...search, wal: fromSegment(one, from) }))
    return end ? parseLsn(end.record.endLsn) : 0n
  }
  return (await endOf(wal)) > (await endOf(other))
}

/** Whether a copy is like the one in whose place it is. */
async function haveSame(
  copies: ArchivedSegment[],
  others: ArchivedSegment[],
  reading: Unpacking & { segmentSize: number },
): Promise<boolean> {
  for (const one of copies) {
    const other = others.find(({ name }) => name === one.name)
    if (other && (await sameContent(one, other, reading)) === 'same') return true
  }
  return false
}
