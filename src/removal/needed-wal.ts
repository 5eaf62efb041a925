import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import { rootLayout } from '../catalog/layout.js'
import { readArchive } from '../wal-archive/archive-index.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { type PooledBackup, type WalPool, walPool } from '../wal-archive/wal-pool.js'
import { type JoiningOptions, joinedWal } from '../wal-coverage/joined-wal.js'
import type { WalMove } from '../wal-coverage/move-wal.js'
import { soundWal } from '../wal-coverage/sound-wal.js'
import { readAround } from '../wal-reading/read-around.js'
import { damageIn, type WalDamage } from '../wal-reading/wal-damage.js'
import { pathOf, usableFormsOf } from '../wal-segments/archive-segments.js'
import { sameContent } from '../wal-segments/same-content.js'

/** What is going on in a root when backups are removed. */
export interface PlannedRemoval {
  /** All backups, those that go among them. */
  catalog: Pick<Catalog, 'root' | 'backups' | 'rejected'>
  /** The backups that go, this one first of all. */
  going: LocalBackup[]
  /** Those among the others that have to reach what they reach now. */
  promised: LocalBackup[]
}

/**
 * Finds the WAL of backups that go without which others could not be taken as far as now: the nearest older one gets it, from which all
 * that are older still reach it, else the nearest newer one. So with the histories of timelines, whose WAL may be still to come: a
 * move may be of these alone.
 * @returns what finds it for one of them. The archives are looked at once: when something has changed there, this is asked anew.
 */
export function neededWal(
  { catalog, going, promised }: PlannedRemoval,
  joining: Omit<JoiningOptions, 'timeline'>,
): (from: LocalBackup) => Promise<WalMove[]> {
  const common = {
    ...joining,
    pool: walPool(catalog),
    gone: new Set(going.map((backup) => layoutOf(backup).wal)),
    notes: new SegmentNotes(rootLayout(catalog.root).backups),
    same: new Map(),
  }
  const directories = new Set(going.map(({ directory }) => directory))
  const staying = promised.filter((one) => !directories.has(one.directory) && one.state === 'whole')
  return (from) => movesFrom(from, inOrderFrom(from, staying), { ...common, going: layoutOf(from).wal })
}

async function movesFrom(
  from: LocalBackup,
  others: LocalBackup[],
  search: NeededWalSearch,
): Promise<WalMove[]> {
  const moved = new Set<string>()
  const told = new Set<string>()
  const moves: WalMove[] = []
  for (const to of others) {
    const needed = await neededBy(to, search)
    const { wal } = needed
    const further = needed.segments.filter(({ name }) => !moved.has(name))
    const histories = needed.histories.filter((path) => further.length > 0 || !told.has(path))
    if (further.length + histories.length === 0) continue
    for (const { name } of further) moved.add(name)
    for (const path of histories) told.add(path)
    const { gapNote } = wal.runs.find(({ archive }) => archive.directory === search.going)?.archive ?? {}
    moves.push({
      from,
      to,
      segments: further,
      histories,
      gapNote: gapNote === wal.gap?.missing ? gapNote : undefined,
    })
  }
  return moves
}

function inOrderFrom({ id, summary }: LocalBackup, staying: LocalBackup[]): LocalBackup[] {
  const cluster = claimedCluster({ summary })
  const relevant = staying
    .filter((one) => claimedCluster(one) === cluster)
    .sort((one, other) => (one.id < other.id ? 1 : -1))
  // One that takes the place of it.
  const same = relevant.filter((one) => one.id === id)
  return [
    ...same,
    ...relevant.filter((one) => one.id < id),
    ...relevant.filter((one) => one.id > id).reverse(),
  ]
}

interface NeededWalSearch extends Omit<JoiningOptions, 'timeline' | 'damaged' | 'without'> {
  pool: WalPool
  /** The archive of the backup that goes. */
  going: string
  /** Those of all that go. */
  gone: ReadonlySet<string>
  notes: SegmentNotes
  /** Which copies were found to be the same. */
  same: Map<string, boolean>
}

interface Needed {
  wal: ArchivedWal
  segments: ArchivedSegment[]
  histories: string[]
}

/** What lies in the archive that goes, and is not available from those that stay, or only in copies that are damaged there. */
async function neededBy(to: LocalBackup, search: NeededWalSearch): Promise<Needed> {
  const { going, gone, pool } = search
  const { wal } = await soundWal(to, pool, search, async (wal) => {
    const [first] = await damagedBeside(to, wal, search, 1)
    return { wal, damage: first && damageIn(wal.chain, first.damage.error) }
  })
  const histories = [...wal.histories].filter(([, path]) => path.startsWith(`${going}/`))
  const leadsThere = wal.runs.some(({ archive }) => archive.directory === going)
  if (!leadsThere && histories.length === 0) return { wal, segments: [], histories: [] }
  const without = await joinedWal(to, pool, { ...search, without: gone })
  const found = await damagedBeside(to, without, search)
  const damaged = new Set([...(wal.replaced?.keys() ?? []), ...found.map(({ segment }) => pathOf(segment))])
  const sound = without.chain.filter((one) => !damaged.has(pathOf(one)))
  const still = new Set([...sound, ...soundIn(to, damaged)].map(nameAndState))
  const segments = wal.chain.filter((one) => one.directory === going && !still.has(nameAndState(one)))
  const needed = segments.length > 0 ? histories : histories.filter(([one]) => !without.histories.has(one))
  return { wal, segments, histories: needed.map(([, path]) => path) }
}

function nameAndState({ name, form }: ArchivedSegment): string {
  return `${name} ${form === 'partial'}`
}

/** What a backup has in its own archive needs no other copy there. */
function soundIn(backup: LocalBackup, damaged: ReadonlySet<string>): ArchivedSegment[] {
  const { found } = readArchive(layoutOf(backup).wal, backup.summary.wal_segment_size)
  return [...found.values()].flatMap(({ segment, fault }) =>
    fault === undefined && segment.form !== 'partial' && !damaged.has(pathOf(segment)) ? [segment] : [],
  )
}

/**
 * The segments of a chain that are damaged and of which an archive that is to go has other copies: before those are thrown away, it has
 * to be known. All others are not read.
 * @param most so many are enough.
 */
async function damagedBeside(
  backup: PooledBackup,
  wal: ArchivedWal,
  search: NeededWalSearch,
  most = Number.POSITIVE_INFINITY,
): Promise<{ segment: ArchivedSegment; damage: WalDamage }[]> {
  const { going } = search
  const copies = readArchive(going, wal.segmentSize).found
  const found: { segment: ArchivedSegment; damage: WalDamage }[] = []
  for (const [index, one] of wal.chain.entries()) {
    if (found.length >= most) return found
    if (one.form === 'partial') continue
    const others = usableFormsOf(copies.get(one.name)).filter((copy) => pathOf(copy) !== pathOf(one))
    const same = await Promise.all(others.map((copy) => isSame(one, copy, wal.segmentSize, search)))
    if (same.every((isSo) => isSo)) continue
    const damage = await readAround(backup, wal, index, search)
    if (damage) found.push({ segment: one, damage })
  }
  return found
}

async function isSame(
  one: ArchivedSegment,
  copy: ArchivedSegment,
  segmentSize: number,
  { notes, same, env, signal }: NeededWalSearch,
): Promise<boolean> {
  const key = `${pathOf(one)} ${pathOf(copy)}`
  const known = same.get(key)
  if (known !== undefined) return known
  const digests = notes.fitting(one).map(({ digest }) => digest)
  const isNoted = notes.fitting(copy).some(({ digest }) => digests.includes(digest))
  const found = isNoted || (await sameContent(one, copy, { segmentSize, env, signal })) === 'same'
  same.set(key, found)
  return found
}
