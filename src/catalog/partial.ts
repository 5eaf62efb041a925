import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { systemCode } from '../errors.js'
import { v } from '../schema.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import { lookAtNote } from '../system/files/read-note.js'
import { mostBytes } from '../system/files/read-small.js'
import { removeContents, removeInBulk } from '../system/files/remove-tree.js'
import { namesIn } from '../system/paths/names-in.js'
import { isId, nextFreeId } from './id.js'
import { type BackupLayout, backupLayout, type RootLayout } from './layout.js'

/**
 * Directories that are not, or no longer, a backup. Each carries a marker file; nothing without one is ever removed,
 * and the marker goes last, so that an interrupted removal can be taken up again.
 */

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
  const id = nextFreeId(startedAt, (candidate) => taken.has(candidate))
  const layout = backupLayout(root.partial(id))
  await mkdir(layout.directory)
  await writeMarker(layout, marker)
  return { id, layout }
}

async function writeMarker(layout: BackupLayout, marker: PartialMarker): Promise<void> {
  await writeDurably(layout.marker, `${JSON.stringify(marker)}\n`)
  await syncPath(layout.directory)
}

/**
 * Turns a finished partial, whose files are on disk already, into a listed backup: record, then one rename.
 * @param check throws when that must not happen any more.
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
  await unlink(partial.layout.marker)
  await syncPath(partial.layout.directory)
  await rename(partial.layout.directory, published.directory)
  await syncPath(root.backups)
  return published
}

/**
 * Removes a marked directory with everything in it, the marker last. Others may still be writing into it: a receiver learns only
 * by its next failure that the archive is gone.
 */
export async function discard(layout: BackupLayout): Promise<void> {
  const marker = basename(layout.marker)
  await removeInBulk(layout.snapshot)
  for (let round = 1; namesIn(layout.directory).some((name) => name !== marker); round++) {
    await removeContents(layout.directory, [marker]).catch((error) => {
      if (systemCode(error) !== 'ENOTEMPTY' || round === mostRounds) throw error
    })
  }
  await rm(layout.marker, { force: true })
  await removeDirectory(layout.directory)
}

const mostRounds = 100

export interface LeftOver {
  name: string
  layout: BackupLayout
  /** Undefined for a directory that must be left alone: nothing shows that pgbk made it. */
  marker: PartialMarker | undefined
}

/** The remains of creates and deletes that did not end by themselves. */
export async function findLeftOvers(root: RootLayout): Promise<LeftOver[]> {
  const found: LeftOver[] = []
  for (const name of await readdir(root.backups)) {
    const layout = backupLayout(join(root.backups, name))
    const hasRecord = existsSync(layout.record)
    if (!name.endsWith('.partial') && (hasRecord || !existsSync(layout.marker))) {
      // Killed before the very last step of its removal; an empty directory harms nobody.
      if (isId(name) && !hasRecord) await removeEmpty(layout.directory)
      continue
    }
    // Killed between the removal of the marker and the rename: complete, but never listed.
    const marker = hasRecord ? { made_by: 'create' as const } : readMarker(layout)
    if (marker || !(await removeEmpty(layout.directory))) found.push({ name, layout, marker })
  }
  return found
}

function readMarker(layout: BackupLayout): PartialMarker | undefined {
  const note = lookAtNote(markerSchema, layout.marker, mostBytes.record)
  // A kill in the middle of the first write leaves a marker without its text.
  return note.value ?? (note.why === 'garbled' ? { made_by: 'create' } : undefined)
}

/** Killed between mkdir and the marker: an empty directory harms nobody. False for one that is not empty. */
async function removeEmpty(directory: string): Promise<boolean> {
  try {
    await removeDirectory(directory)
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

/** Another process may have removed it a moment before. */
async function removeDirectory(directory: string): Promise<void> {
  try {
    await rmdir(directory)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}
