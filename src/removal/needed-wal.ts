import { dirname } from 'node:path'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import { readArchive } from '../wal-archive/archive-index.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { type WalPool, walPool } from '../wal-archive/wal-pool.js'
import { type JoiningOptions, joinedWal } from '../wal-coverage/joined-wal.js'
import type { WalMove } from '../wal-coverage/move-wal.js'
import { soundWal } from '../wal-coverage/sound-wal.js'
import { damageIn } from '../wal-reading/wal-damage.js'
import { pathOf } from '../wal-segments/archive-segments.js'
import { damagedBeside, type NeededWalOptions } from './damaged-beside.js'

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
 * The WAL of a backup that goes without which others could not be taken as far as now: the nearest older one gets it, from which all
 * that are older still reach it, else the nearest newer one. So with the histories of timelines, whose WAL may be still to come: a
 * move may be of these alone.
 */
export async function neededWal(
  from: LocalBackup,
  { catalog, going, promised }: PlannedRemoval,
  joining: Omit<JoiningOptions, 'timeline'>,
): Promise<WalMove[]> {
  const options = { ...joining, same: new Map(), notes: new SegmentNotes(dirname(from.directory)) }
  const pool = walPool(catalog)
  const gone = new Set(going.map((backup) => layoutOf(backup).wal))
  const moved = new Set<string>()
  const told = new Set<string>()
  const moves: WalMove[] = []
  for (const to of inOrderFrom(from, promised, going)) {
    const needed = await neededBy(to, from, gone, pool, options)
    const { wal } = needed
    const further = needed.segments.filter(({ name }) => !moved.has(name))
    const histories = needed.histories.filter((path) => further.length > 0 || !told.has(path))
    if (further.length + histories.length === 0) continue
    for (const { name } of further) moved.add(name)
    for (const path of histories) told.add(path)
    const { gapNote } =
      wal.runs.find(({ archive }) => archive.directory === layoutOf(from).wal)?.archive ?? {}
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

function inOrderFrom(
  { id, summary }: LocalBackup,
  promised: LocalBackup[],
  going: LocalBackup[],
): LocalBackup[] {
  const gone = new Set(going.map(({ directory }) => directory))
  const cluster = claimedCluster({ summary })
  const staying = promised
    .filter((one) => !gone.has(one.directory) && one.state === 'whole' && claimedCluster(one) === cluster)
    .sort((one, other) => (one.id < other.id ? 1 : -1))
  // One that takes the place of it.
  const same = staying.filter((one) => one.id === id)
  return [...same, ...staying.filter((one) => one.id < id), ...staying.filter((one) => one.id > id).reverse()]
}

interface Needed {
  wal: ArchivedWal
  segments: ArchivedSegment[]
  histories: string[]
}

/** What lies in the archive that goes, and is not available from those that stay, or only in copies that are damaged there. */
async function neededBy(
  to: LocalBackup,
  from: LocalBackup,
  gone: ReadonlySet<string>,
  pool: WalPool,
  options: NeededWalOptions,
): Promise<Needed> {
  const going = layoutOf(from).wal
  const { wal } = await soundWal(to, pool, options, async (wal) => {
    const [first] = await damagedBeside(going, to, wal, options, 1)
    return { wal, damage: first && damageIn(wal.chain, first.damage.error) }
  })
  const histories = [...wal.histories].filter(([, path]) => path.startsWith(`${going}/`))
  const leadsThere = wal.runs.some(({ archive }) => archive.directory === going)
  if (!leadsThere && histories.length === 0) return { wal, segments: [], histories: [] }
  const without = await joinedWal(to, pool, { ...options, without: gone })
  const found = await damagedBeside(going, to, without, options)
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
