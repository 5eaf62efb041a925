import type { ArchivedWal } from '../backup/archived-wal.js'
import { fromSegment } from '../backup/archived-wal.js'
import type { Backup } from '../backup/catalog.js'
import { claimedCluster } from '../backup/check-cluster.js'
import { type DamageNote, readDamageNotes, removeDamageNotes, stillFits } from '../backup/damage-notes.js'
import { parseSegmentName } from '../backup/lsn.js'
import type { SegmentNotes } from '../backup/segment-notes.js'
import type { Context } from '../context.js'
import type { Installation } from './find.js'
import { type DamagedSegment, damageIn, damageOf, type WalDamage } from './wal-damage.js'

/** Finds damage anywhere in chains, which many backups have in common, without reading all of them. */
export interface DamageFinder {
  /**
   * The first damage that somebody has found before, or that is in a segment whose file has changed since it was found sound.
   * @throws {PgbkError} `programs-missing` where such a segment has to be read.
   */
  damageOf(backup: Backup, wal: ArchivedWal): Promise<WalDamage | undefined>
}

/** A segment that may be damaged, as was noted, or as its file has changed. */
interface Suspect {
  name: string
  segment: bigint
  noted: DamageNote | undefined
}

export interface DamageSearch {
  /** Each segment that is read and sound is noted, so that it is read once. */
  notes: SegmentNotes
  installations: () => Promise<Installation[]>
  context: Context
}

export function findDamages(search: DamageSearch): DamageFinder {
  const suspects = new Map<string, Suspect[]>()
  const known = new Map<string, DamagedSegment | undefined>()
  const suspectsIn = (directory: string, segmentSize: number) => {
    const found = suspects.get(directory) ?? suspectsOf(directory, segmentSize, search.notes)
    suspects.set(directory, found)
    return found
  }
  const ask = async (backup: Backup, wal: ArchivedWal, index: number, noted: DamageNote | undefined) => {
    if (noted && stillFits(noted, wal, index))
      return damageOf(wal.chain, index, { reason: noted.reason, isReadable: noted.is_readable })
    const { directory = '', name = '' } = wal.chain[index] ?? {}
    const key = `${directory}/${name}`
    if (!known.has(key)) known.set(key, (await readAround(backup, wal, index, search))?.error)
    const error = known.get(key)
    if (noted && error?.segment !== name) await removeDamageNotes(directory, [name], search.notes.backups)
    return error && damageIn(wal.chain, error)
  }
  return {
    damageOf: async (backup, wal) => {
      const inRuns = wal.runs.flatMap(({ archive, from, to }) =>
        suspectsIn(archive.directory, wal.segmentSize)
          .filter(({ segment }) => from.segment <= segment && segment <= to.segment)
          .map((suspect) => ({ ...suspect, directory: archive.directory })),
      )
      for (const { name, directory, noted } of inRuns) {
        const index = wal.chain.findIndex((one) => one.name === name && one.directory === directory)
        if (index === -1 || wal.chain[index]?.form === 'partial') continue
        const damage = await ask(backup, wal, index, noted)
        if (damage) return damage
      }
      return undefined
    },
  }
}

/** In order. */
function suspectsOf(directory: string, segmentSize: number, notes: SegmentNotes): Suspect[] {
  const damaged = new Map(readDamageNotes(directory, notes.backups).map((note) => [note.name, note]))
  return [...new Set([...damaged.keys(), ...notes.changedIn(directory)])]
    .map((name) => ({
      name,
      segment: parseSegmentName(name, segmentSize)?.segment,
      noted: damaged.get(name),
    }))
    .filter((one): one is Suspect => one.segment !== undefined)
    .sort((one, other) => (one.segment < other.segment ? -1 : 1))
}

/** Reads a segment as whoever replays it does: from the one before, in which its first record may begin. */
async function readAround(
  { summary }: Backup,
  wal: ArchivedWal,
  index: number,
  { notes, installations, context: { env, signal } }: DamageSearch,
): Promise<WalDamage | undefined> {
  const systemIdentifier = claimedCluster({ summary })
  const first = wal.chain[Math.max(0, index - 1)]
  if (systemIdentifier === undefined || !first) return undefined
  const { walkAhead } = await import('./walk-ahead.js')
  const part = fromSegment(wal, first.segment)
  const at = index === 0 ? 0 : 1
  const isFinished = (part.chain[at + 1]?.form ?? 'partial') !== 'partial'
  const major = Number.parseInt(summary.server.version, 10)
  const search = { wal: part, major, installations: await installations(), env, signal, notes }
  for await (const stretch of walkAhead({ ...search, systemIdentifier }, isFinished ? at + 1 : at)) {
    // What comes after it is not asked for: it may be unfinished.
    if (stretch.damage) return stretch.damage.index <= at ? stretch.damage : undefined
    if (stretch.first + stretch.facts.length > at) return undefined
  }
  return undefined
}
