import type { ArchivedSegment, ArchivedWal } from '../backup/archived-wal.js'
import type { Backup, Catalog } from '../backup/catalog.js'
import { claimedCluster } from '../backup/check-cluster.js'
import type { WalMove } from '../backup/move-wal.js'
import { type WalPool, walPool } from '../backup/wal-pool.js'
import { type JoiningOptions, joinedWal } from './joined-wal.js'

/** What is going on in a root when backups are removed. */
export interface Removal {
  /** All backups, those that go among them. */
  catalog: Pick<Catalog, 'root' | 'backups' | 'rejected'>
  /** The backups that go, this one first of all. */
  going: Backup[]
  /** Those among the others that have to reach what they reach now. */
  promised: Backup[]
}

/**
 * The WAL of a backup that goes without which others could not be taken as far as now: the nearest older one gets it, from which all
 * that are older still reach it, else the nearest newer one. So with the histories of timelines, whose WAL may be still to come: a
 * move may be of these alone.
 */
export async function neededWal(
  from: Backup,
  { catalog, going, promised }: Removal,
  options: Omit<JoiningOptions, 'timeline'>,
): Promise<WalMove[]> {
  const pool = walPool(catalog)
  const gone = new Set(going.map(({ layout }) => layout.wal))
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
    const { gapNote } = wal.runs.find(({ archive }) => archive.directory === from.layout.wal)?.archive ?? {}
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

function inOrderFrom({ id, summary }: Backup, promised: Backup[], going: Backup[]): Backup[] {
  const ids = new Set(going.map((one) => one.id))
  const cluster = claimedCluster({ summary })
  const staying = promised
    .filter((one) => !ids.has(one.id) && one.state === 'whole' && claimedCluster(one) === cluster)
    .sort((one, other) => (one.id < other.id ? 1 : -1))
  return [...staying.filter((one) => one.id < id), ...staying.filter((one) => one.id > id).reverse()]
}

/** What lies in the archive that goes, and cannot be had from those that stay. */
async function neededBy(
  to: Backup,
  { layout }: Backup,
  gone: ReadonlySet<string>,
  pool: WalPool,
  options: Omit<JoiningOptions, 'timeline'>,
): Promise<{ wal: ArchivedWal; segments: ArchivedSegment[]; histories: string[] }> {
  const wal = await joinedWal(to, pool, options)
  const histories = [...wal.histories].filter(([, path]) => path.startsWith(`${layout.wal}/`))
  const leadsThere = wal.runs.some(({ archive }) => archive.directory === layout.wal)
  if (!leadsThere && histories.length === 0) return { wal, segments: [], histories: [] }
  const without = await joinedWal(to, pool, { ...options, without: gone })
  const still = new Set(without.chain.map(({ name, form }) => `${name} ${form === 'partial'}`))
  const segments = wal.chain.filter(
    ({ directory, name, form }) => directory === layout.wal && !still.has(`${name} ${form === 'partial'}`),
  )
  const needed = segments.length > 0 ? histories : histories.filter(([one]) => !without.histories.has(one))
  return { wal, segments, histories: needed.map(([, path]) => path) }
}
