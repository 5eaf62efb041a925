import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readlinkSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { borrowedLayout, runLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { systemFailure } from '../errors.js'
import { markDirectory, removeMarked } from '../system/files/marked-directory.js'
import { readNote } from '../system/files/read-note.js'
import { removeTree } from '../system/files/remove-tree.js'
import { bytePath } from '../system/paths/byte-path.js'
import { cacheDirectory } from '../system/paths/cache-directory.js'
import { namesIn } from '../system/paths/names-in.js'
import { lifeOf, markOfThisProcess, markSchema } from '../system/process/process-mark.js'
import { isAlive } from '../system/process/process-table.js'

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
  const name = String(randomInt(1e9, 1e10))
  const layout = borrowedLayout(join(place, name))
  try {
    mkdirSync(place, { recursive: true, mode: 0o700 })
    await sweepBorrowed(context)
    // It has its marker from the first moment on: without one, what a kill leaves would be nobody's.
    const mark = markOfThisProcess()
    const draft = borrowedLayout(join(place, `.${name}.${mark.pgbk_pid}.new`))
    mkdirSync(draft.root, { mode: 0o700 })
    await markDirectory(draft.marker, mark)
    renameSync(draft.root, layout.root)
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

/** Removes what killed processes have borrowed. Nothing in a cache that is closed to this user. */
export async function sweepBorrowed(context: Context): Promise<void> {
  const names = namesIn(placeOfRoots(context), 'EACCES')
  if (names.length === 0) return
  const runs = join(cacheDirectory(context), 'run')
  const needed = new Set(namesIn(runs).map((name) => linkedRoot(join(runs, name))))
  for (const name of names) {
    const { root, marker } = borrowedLayout(join(placeOfRoots(context), name))
    const [, maker] = /^\.\d+\.(\d+)\.new$/.exec(name) ?? []
    if (maker !== undefined) {
      if (!isAlive(Number(maker))) await removeTree(bytePath(root))
      continue
    }
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
