import { existsSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../errors.js'
import { v } from '../schema.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import {
  markDirectory,
  removeEmpty,
  removeMarked,
  unmarkDirectory,
} from '../system/files/marked-directory.js'
import { lookAtNote, readNote } from '../system/files/read-note.js'
import { mostBytes } from '../system/files/read-small.js'
import { removeInBulk } from '../system/files/remove-tree.js'
import { isId, nextFreeId } from './id.js'
import { type BackupLayout, backupLayout, type RootLayout } from './layout.js'

/** Directories that are not, or no longer, a backup: marked ones. */

/** What the marker of a create tells the create that finds it later. The marker of a delete is the record that was. */
export interface PartialMarker {
  /** `create`; a delete says whatever the record did. */
  made_by?: string | undefined
  /** The connections of this create on the server carry this name. */
  application_name?: string | undefined
}

const markerSchema: v.GenericSchema<unknown, PartialMarker> = v.object({
  made_by: v.optional(v.string()),
  application_name: v.optional(v.pipe(v.string(), v.maxLength(64))),
})

export interface Partial {
  id: string
  layout: BackupLayout
}

/** Makes an empty, marked directory for a backup that starts now. */
export async function startPartial(
  root: RootLayout,
  startedAt: Date,
  marker: PartialMarker,
): Promise<Partial> {
  const taken = new Set((await readdir(root.backups)).map((name) => name.replace(/^\.|\..*$/g, '')))
  for (;;) {
    const id = nextFreeId(startedAt, (candidate) => taken.has(candidate))
    const layout = backupLayout(root.partial(id))
    if (await madeDirectory(layout.directory)) {
      await markDirectory(layout.marker, marker)
      return { id, layout }
    }
    taken.add(id)
  }
}

/** False where there is one: a create and a pack may begin in the same second. */
async function madeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Turns a finished partial, whose files are on disk already, into a listed backup: record, then one rename.
 * @param check throws when that must no longer happen.
 */
export async function publish(
  root: RootLayout,
  partial: Partial,
  record: string,
  check: () => Promise<void> = async () => {},
): Promise<BackupLayout> {
  const published = backupLayout(root.backup(partial.id))
  await writeDurably(partial.layout.record, record)
  await check()
  await unmarkDirectory(partial.layout.marker)
  await rename(partial.layout.directory, published.directory)
  await syncPath(root.backups)
  return published
}

/** Removes what is no backup, or no longer one. */
export async function discard({
  directory,
  marker,
}: Pick<BackupLayout, 'directory' | 'marker'>): Promise<void> {
  await removeInBulk(backupLayout(directory).snapshot)
  await removeMarked(marker)
}

export interface LeftOver {
  name: string
  layout: BackupLayout
  /** Undefined for a directory that must be left alone: nothing shows that pgbk made it. */
  marker: PartialMarker | undefined
}

/** The remains of those commands alone that these are, by their whole markers: while others go on, whose directories may just begin. */
export async function findLeftOversOf(
  root: RootLayout,
  commands: readonly PartialMarker['made_by'][],
): Promise<LeftOver[]> {
  return (await readdir(root.backups)).flatMap((name) => {
    const layout = backupLayout(join(root.backups, name))
    const marker = existsSync(layout.record) ? undefined : readNote(markerSchema, layout.marker)
    return marker && commands.includes(marker.made_by) ? [{ name, layout, marker }] : []
  })
}

/** The remains of all commands that did not end by themselves, where none goes on. */
export async function findLeftOvers(root: RootLayout): Promise<LeftOver[]> {
  const found: LeftOver[] = []
  for (const name of await readdir(root.backups)) {
    const layout = backupLayout(join(root.backups, name))
    const hasRecord = existsSync(layout.record)
    if (!name.endsWith('.partial') && (hasRecord || !existsSync(layout.marker))) {
      // Killed before the very last step of its removal; an empty directory harms nobody.
      if (isId(name) && !hasRecord) await hasGoneEmpty(layout.directory)
      continue
    }
    // Killed between the removal of the marker and the rename: complete, but never listed.
    const marker = hasRecord ? { made_by: 'create' as const } : readPartialMarker(layout)
    if (marker || !(await hasGoneEmpty(layout.directory))) found.push({ name, layout, marker })
  }
  return found
}

function readPartialMarker(layout: BackupLayout): PartialMarker | undefined {
  const note = lookAtNote(markerSchema, layout.marker, mostBytes.record)
  // A kill in the middle of the first write leaves a marker without its text.
  return note.value ?? (note.why === 'garbled' ? { made_by: 'create' } : undefined)
}

/** Killed between mkdir and the marker: an empty directory harms nobody. False for one that is not empty. */
async function hasGoneEmpty(directory: string): Promise<boolean> {
  try {
    await removeEmpty(directory)
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}
