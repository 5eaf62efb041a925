import { realpathSync, rmSync, statSync } from 'node:fs'
import type { RootLayout } from '../catalog/layout.js'
import { existingDirectory } from '../catalog/prepare-root.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import type { PackedShare } from '../packing/packed-share.js'
import { knownSize } from '../postgres/server/connect-to-server.js'
import type { ServerFacts } from '../postgres/server/server-facts.js'
import type { Progress } from '../progress.js'
import { v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { freeBytes } from '../system/files/measure.js'
import { readNote } from '../system/files/read-note.js'
import { relativeInside } from '../system/paths/inside.js'
import { formatBytes } from '../text/format.js'

/** How a backup comes to disk. */
export interface CopyKind {
  /** Straight into an image. */
  streams: boolean
  /** What an image will about take; undefined where none is made. */
  packed?: PackedShare | undefined
}

/** An image that takes less of what a server has was not seen yet: what does not even have room for that is refused. */
const bestPacked = 1 / 50

/** Bytes that a backup will take: the databases, at least as much of them as an image has, and the WAL twice (pg_wal and the archive). */
export function neededBytes(facts: ServerFacts, { streams }: CopyKind = { streams: false }): number {
  const size = knownSize(facts)
  return (streams ? Math.ceil(size * bestPacked) : size) + 4 * facts.wal_segment_size
}

/**
 * Compares the free disk with what the backup will take. Where that is not certain, as with an image, it is warned of too little.
 * @returns the directories of the server that lie on the root's disk.
 * @throws {PgbkError} `disk-full` when there is too little, `usage` when the root lies inside the server's own data.
 */
export async function checkDisk(
  root: RootLayout,
  facts: ServerFacts,
  progress: Progress,
  kind?: CopyKind,
): Promise<string[]> {
  const place = existingDirectory(root)
  const shared = isOnThisMachine(facts) ? checkPlace(place, root, facts) : []
  const needed = neededBytes(facts, kind)
  const free = await freeBytes(place)
  if (free < needed) {
    throw new PgbkError(
      'disk-full',
      `the backup needs about ${formatBytes(needed)}, and ${formatBytes(free)} are free in ${root.backups}`,
      {
        hint: 'Make room there (pgbk list, pgbk delete), or choose another root with -C.',
      },
    )
  }
  const warning =
    kind?.packed && imageWarning(facts, kind.packed, { beside: kind.streams ? 0 : needed, free })
  if (warning) progress.warn(`${warning} are free in ${root.backups}`)
  const unknown = facts.databases.filter(({ size_bytes }) => size_bytes === null).map(({ name }) => name)
  if (unknown.length > 0) {
    progress.warn(
      `role ${facts.role} may not ask for the size of ${unknown.join(', ')}: the check for free disk left that out`,
    )
  }
  return shared
}

/** Bytes that a backup whose snapshot is an image will about take. */
export function imageBytes(facts: ServerFacts, { share }: PackedShare): number {
  return Math.ceil(knownSize(facts) * share) + 4 * facts.wal_segment_size
}

/** @param room what is free, and what will lie beside the image while it is made. */
function imageWarning(
  facts: ServerFacts,
  packed: PackedShare,
  { beside, free }: { beside: number; free: number },
): string | undefined {
  const image = imageBytes(facts, packed)
  const { share, shownBy } = packed
  if (beside + image <= free) return undefined
  const percent = `${Math.max(1, Math.round(share * 100))} % of what the server has`
  const why = shownBy === undefined ? `if it takes ${percent}` : `${percent}, as that of ${shownBy} has`
  const further = beside > 0 ? ` beside the copy of ${formatBytes(beside)}` : ''
  return `the image may not fit: it needs about ${formatBytes(image)} (${why})${further}, and ${formatBytes(free)}`
}

/** Whether the server's paths are perhaps those of this machine. */
export function isOnThisMachine({ host }: Pick<ServerFacts, 'host'>): boolean {
  return host.startsWith('/') || ['localhost', '127.0.0.1', '::1'].includes(host)
}

function checkPlace(place: string, root: RootLayout, facts: ServerFacts): string[] {
  const directories = [facts.data_directory, ...facts.tablespaces.map(({ location }) => location)].filter(
    (path) => path !== null,
  )
  const here = realOf(place)
  const around = directories.find((directory) => {
    const real = realOf(directory)
    return real === here || relativeInside(real, here) !== undefined
  })
  if (around !== undefined) {
    throw new PgbkError('usage', `the root ${root.root} lies inside the server's own ${around}`, {
      hint: 'A backup there would contain itself and be lost with the server. Choose another root with -C.',
    })
  }
  const disk = deviceOf(place)
  return directories.filter((directory) => disk !== undefined && deviceOf(directory) === disk)
}

/** Where symbolic links lead; the path itself where this user may not look. */
function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** The disk of a path; undefined when this user may not look there, or it is another machine's path after all. */
function deviceOf(path: string): number | undefined {
  try {
    return statSync(path).dev
  } catch {
    return undefined
  }
}

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
