import { lstatSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn } from '../system/paths/names-in.js'
import { imageBlockSize } from './stripe.js'

/**
 * Removes what was used longest ago, until there is room again.
 * @returns how many bytes may be written before the next look; other processes write meanwhile.
 */
export function trimCache(directory: string, limit: number): number {
  const step = Math.max(imageBlockSize, Math.floor(limit / 16))
  const stripes = namesIn(directory).flatMap((key) =>
    namesIn(join(directory, key)).flatMap((name) => {
      const path = join(directory, key, name)
      const found = lstatSync(path, { throwIfNoEntry: false })
      return found ? [{ path, bytes: found.blocks * 512, usedAt: found.mtimeMs }] : []
    }),
  )
  let left = stripes.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { path, bytes } of stripes.sort((a, b) => a.usedAt - b.usedAt)) {
    if (left + step <= limit) break
    rmSync(path, { force: true })
    left -= bytes
  }
  for (const key of namesIn(directory)) removeIfEmpty(join(directory, key))
  return step
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // It has something in it.
  }
}
