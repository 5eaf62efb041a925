import type { LocalBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import type { Installation } from '../postgres/programs/find.js'
import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import {
  type DamageNote,
  readDamageNotes,
  removeDamageNotes,
  stillFits,
} from '../wal-archive/notes/damage-notes.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { readAround } from '../wal-reading/read-around.js'
import { type DamagedSegment, damageIn, damageOf, type WalDamage } from '../wal-reading/wal-damage.js'
import { parseSegmentName } from '../wal-segments/lsn.js'
import { changedAtEnd } from './window.js'

/** Finds damage anywhere in chains, which many backups have in common, without reading all of them. */
export interface DamageFinder {
  /**
   * The first damage that somebody has found before, or that is in a segment whose file has changed since it was found sound.
   * @throws {PgbkError} `programs-missing` where such a segment has to be read.
   */
  damageOf(backup: LocalBackup, wal: ArchivedWal): Promise<WalDamage | undefined>
}

/** A segment that may be damaged, as was noted, or as its file has changed. */
interface Suspect {
  name: string
  segment: bigint
  noted: DamageNote | undefined
}

interface DamageSearch {
  /** Each segment that is read and sound is noted, so that it is read once. */
  notes: SegmentNotes
  installations: () => Promise<Installation[]>
  context: Context
}

export function findDamages(search: DamageSearch): DamageFinder {
  const { env, signal } = search.context
  const reading = { ...search, env, signal }
  const suspects = new Map<string, Suspect[]>()
  const known = new Map<string, DamagedSegment | undefined>()
  const suspectsIn = (directory: string, segmentSize: number) => {
    const found = suspects.get(directory) ?? suspectsOf(directory, segmentSize, search.notes)
    suspects.set(directory, found)
    return found
  }
  const ask = async (backup: LocalBackup, wal: ArchivedWal, index: number, noted: DamageNote | undefined) => {
    if (noted && stillFits(noted, wal, index))
      return damageOf(wal.chain, index, { reason: noted.reason, isReadable: noted.is_readable })
    const { directory = '', name = '', file } = wal.chain[index] ?? {}
    const key = `${directory}/${file}`
    if (!known.has(key)) known.set(key, (await readAround(backup, wal, index, reading))?.error)
    const error = known.get(key)
    if (noted && error?.facts.segment !== name)
      await removeDamageNotes(directory, [name], search.notes.backups)
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
  return [...new Set([...damaged.keys(), ...notes.changedIn(directory), ...changedAtEnd(directory)])]
    .map((name) => ({
      name,
      segment: parseSegmentName(name, segmentSize)?.segment,
      noted: damaged.get(name),
    }))
    .filter((one): one is Suspect => one.segment !== undefined)
    .sort((one, other) => (one.segment < other.segment ? -1 : 1))
}
