import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { borrowedLayout, runLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { systemFailure } from '../errors.js'
import { markDirectory, removeMarked } from '../system/files/marked-directory.js'
import { readNote } from '../system/files/read-note.js'
import { cacheDirectory } from '../system/paths/cache-directory.js'
import { namesIn } from '../system/paths/names-in.js'
import { lifeOf, markOfThisProcess, markSchema } from '../system/process/process-mark.js'

/** A root on this machine for what is borrowed, in the user's cache: it goes at the end, unless somebody takes it over. */
export interface BorrowedRoot {
  layout: ReturnType<typeof borrowedLayout>
  /** A run that goes on without this process has it from then on, and removes it at its end. */
  handOver(): void
  wasHandedOver(): boolean
}

/** Makes an empty, marked one, and clears away what killed processes have left. @throws as the system says. */
export async function makeBorrowedRoot(context: Context): Promise<BorrowedRoot> {
  const place = placeOfRoots(context)
  const layout = borrowedLayout(join(place, String(randomInt(1e9, 1e10))))
  try {
    mkdirSync(place, { recursive: true, mode: 0o700 })
    await sweep(context)
    mkdirSync(layout.root, { mode: 0o700 })
    await markDirectory(layout.marker, markOfThisProcess())
  } catch (cause) {
    throw systemFailure(`cannot make ${layout.root}`, cause)
  }
  let isOurs = true
  context.atEnd(async () => {
    if (isOurs) await removeMarked(layout.marker)
  })
  return {
    layout,
    handOver: () => {
      isOurs = false
    },
    wasHandedOver: () => !isOurs,
  }
}

function placeOfRoots(context: Context): string {
  return join(cacheDirectory(context), 'from')
}

async function sweep(context: Context): Promise<void> {
  const runs = join(cacheDirectory(context), 'run')
  const needed = new Set(namesIn(runs).map((name) => linkedRoot(join(runs, name))))
  for (const name of namesIn(placeOfRoots(context))) {
    const { root, marker } = borrowedLayout(join(placeOfRoots(context), name))
    const mark = readNote(markSchema, marker)
    if (mark && lifeOf(mark) === 'gone' && !needed.has(root) && existsSync(marker)) await removeMarked(marker)
  }
}

function linkedRoot(run: string): string | undefined {
  try {
    return readlinkSync(runLayout(run).borrowed)
  } catch {
    return undefined
  }
}
