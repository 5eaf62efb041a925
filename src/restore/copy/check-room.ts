import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ReadableBackup } from '../../catalog/backup.js'
import { PgbkError } from '../../errors.js'
import { freeBytes } from '../../system/files/measure.js'
import { formatBytes } from '../../text/format.js'
import { copyMethodFor } from './copy-cluster.js'

/** What will be written to one file system. */
export interface RoomNeed {
  /** The deepest directory on the way that is there already. */
  place: string
  needed: number
  free: number
}

/** What a full copy needs, for each file system. @param places the directories that will be filled, with their bytes. */
export async function roomNeeds(places: ReadonlyMap<string, number>): Promise<RoomNeed[]> {
  const needs = new Map<number, RoomNeed>()
  for (const [directory, bytes] of places) {
    const place = existing(directory)
    const { dev } = statSync(place)
    const before = needs.get(dev)
    if (before) before.needed += bytes
    else needs.set(dev, { place, needed: bytes, free: await freeBytes(place) })
  }
  return [...needs.values()]
}

/** @throws {PgbkError} `disk-full` when a copy has no room, and reflinks are not available. */
export async function checkRoomForCopy(backup: ReadableBackup, needs: RoomNeed[]): Promise<void> {
  const tight = tightest(needs)
  if (tight && (await copyMethodFor(backup, tight.place)) !== 'reflink') checkSpace(needs)
}

function tightest(needs: RoomNeed[]): RoomNeed | undefined {
  return needs.find(({ needed, free }) => free < needed)
}

/** @throws {PgbkError} `disk-full` when a copy has no room. */
export function checkSpace(needs: RoomNeed[]): void {
  const tight = tightest(needs)
  if (!tight) return
  throw new PgbkError(
    'disk-full',
    `the copy needs ${formatBytes(tight.needed)}, and ${formatBytes(tight.free)} are free in ${tight.place}`,
    { hint: 'Make room there, or restore to another place: -C for an instance, -D for a given directory.' },
  )
}

function existing(directory: string): string {
  return existsSync(directory) ? directory : existing(dirname(directory))
}
