import { rmSync } from 'node:fs'
import type { RootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import { v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'

/** .same-disk.json: of which directories of the server a create has said that they share the root's disk. */
const schema = v.object({ root: v.string(), directories: v.array(v.string()) })

export const sharedDiskWarning =
  'the root is on the same disk as the server: if that disk is lost, so are the backups'

/** Warns of a shared disk once, and again when the directories, or the root's own place, are others; not every night. */
export async function warnOfSharedDisk(
  { root, sharedDisk: path }: RootLayout,
  directories: string[],
  { progress }: Pick<Context, 'progress'>,
): Promise<void> {
  const told = readNote(schema, path)
  if (directories.length === 0) return rmSync(path, { force: true })
  const wasTold =
    told?.root === root && directories.every((directory) => told.directories.includes(directory))
  if (wasTold) return
  progress.warn(sharedDiskWarning)
  try {
    await replaceDurably(path, `${JSON.stringify({ root, directories })}\n`)
  } catch (error) {
    progress.detail(`cannot write ${path}: ${messageOf(error)}`)
  }
}
