import { existsSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { RootLayout } from '../catalog/layout.js'
import { PgbkError } from '../errors.js'
import type { ServerFacts } from '../postgres/server/server-facts.js'
import type { Progress } from '../progress.js'
import { freeBytes } from '../system/files/measure.js'
import { relativeInside } from '../system/paths/inside.js'
import { formatBytes } from '../text/format.js'

/** Bytes of the databases, as far as the role may know them. */
export function knownSize({ databases }: ServerFacts): number {
  return databases.reduce((sum, { size_bytes }) => sum + (size_bytes ?? 0), 0)
}

/** Bytes that a backup will take: the databases, and the WAL twice (pg_wal and the archive). */
export function neededBytes(facts: ServerFacts): number {
  return knownSize(facts) + 4 * facts.wal_segment_size
}

/**
 * Compares the free disk with what the backup will take.
 * @returns the directories of the server that lie on the root's disk.
 * @throws {PgbkError} `disk-full` when there is too little, `usage` when the root lies inside the server's own data.
 */
export async function checkDisk(root: RootLayout, facts: ServerFacts, progress: Progress): Promise<string[]> {
  const place =
    [root.backups, root.root, dirname(root.root)].find((directory) => existsSync(directory)) ?? '/'
  const shared = isLocal(facts) ? checkPlace(place, root, facts) : []
  const needed = neededBytes(facts)
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
  const unknown = facts.databases.filter(({ size_bytes }) => size_bytes === null).map(({ name }) => name)
  if (unknown.length > 0) {
    progress.warn(
      `role ${facts.role} may not ask for the size of ${unknown.join(', ')}: the check for free disk left that out`,
    )
  }
  return shared
}

/** Whether the server's paths are perhaps those of this machine. */
export function isLocal({ host }: Pick<ServerFacts, 'host'>): boolean {
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
