import { randomBytes, randomInt } from 'node:crypto'
import { accessSync, constants, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { layoutOf, type ReadableBackup } from '../../catalog/backup.js'
import { type RunLayout, runLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { messageOf, PgbkError, systemCode, systemFailure } from '../../errors.js'
import { makeSocketDirectory, newSocketPath, removeSocketDirectory } from '../../postgres/local/sockets.js'
import { namesIn } from '../../system/paths/names-in.js'
import { markOfThisProcess } from '../../system/process/process-mark.js'
import { isAlive } from '../../system/process/process-table.js'
import {
  type OwnRunDirectory,
  placeForBorrowed,
  placesForRuns,
  type RunDirectory,
  type RunMarker,
  writeRunMarker,
} from './run-directory.js'

/**
 * Makes the directory of a new run, `<id>-<n>`, with its marker, and the one of its socket.
 * @throws {PgbkError} `root-not-writable` when there is no place for it, `disk-full` when there is no room; nothing is left.
 */
export function makeRunDirectory(
  backup: ReadableBackup,
  root: string,
  context: Context,
  archives?: string[],
): OwnRunDirectory {
  const { borrowed } = backup
  const place = choosePlace(borrowed ? [placeForBorrowed(context)] : placesForRuns(root, context))
  for (;;) {
    // Never the name of a run that has just ended: others may still be removing what is left of that one.
    const name = `${backup.id}-${randomInt(10_000, 100_000)}`
    const run = makeNamed(name, runLayout(join(place, name)), { backup, archives }, context)
    if (run) return run
  }
}

/** Undefined where a run has that name already. */
function makeNamed(
  name: string,
  layout: RunLayout,
  { backup, archives }: { backup: ReadableBackup; archives: string[] | undefined },
  { now }: Context,
): OwnRunDirectory | undefined {
  const sockets = newSocketPath()
  const marker: RunMarker = {
    backup: backup.id,
    archives,
    ...(backup.borrowed ? { from: { place: backup.borrowed.place, note: backup.borrowed.note } } : {}),
    ...markOfThisProcess(),
    detached: false,
    started_at: now().toISOString(),
    socket_directory: sockets,
  }
  const run = { name, layout, marker, sockets, secret: randomBytes(24).toString('hex') }
  try {
    return appearMarked(run) ? filled(run, backup) : undefined
  } catch (error) {
    throw systemFailure(`cannot make ${layout.directory} for the working copy`, error)
  }
}

/**
 * It has its marker from the first moment on: without one, what is left of a process that is killed then would be nobody's.
 * @returns false where a run has that name already; it stays as it is.
 */
function appearMarked({ name, layout: { directory }, marker }: RunDirectory): boolean {
  const draft = join(dirname(directory), `.${name}.${marker.pgbk_pid}.new`)
  mkdirSync(draft)
  try {
    writeRunMarker({ name, layout: runLayout(draft), marker })
    renameSync(draft, directory)
    return true
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    // Every run has a marker in it, and no directory takes the place of one that is not empty.
    if (['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

/** With the directory of its socket, which its marker names already. */
function filled(run: OwnRunDirectory, backup: ReadableBackup): OwnRunDirectory {
  const { wal } = layoutOf(backup)
  const { layout, sockets } = run
  let made: string | undefined
  try {
    made = makeSocketDirectory(sockets)
    for (const directory of [layout.snapshot, layout.upper, layout.work, layout.sandbox]) mkdirSync(directory)
    if (backup.image) {
      mkdirSync(layout.lower)
      symlinkSync(backup.image.file, layout.image)
    } else symlinkSync(backup.snapshot, layout.lower)
    symlinkSync(wal, layout.wal)
    return run
  } catch (error) {
    if (made !== undefined) removeSocketDirectory(made)
    rmSync(layout.directory, { recursive: true, force: true })
    throw error
  }
}

/** What is left of runs that were killed before they had their marker. */
export function forgottenDrafts(root: string, context: Context): string[] {
  return placesForRuns(root, context).flatMap((place) =>
    namesIn(place, 'EACCES').flatMap((name) => {
      const [, pid] = /^\.\d{8}T\d{6}Z-\d{5}\.(\d+)\.new$/.exec(name) ?? []
      return pid === undefined || isAlive(Number(pid)) ? [] : [join(place, name)]
    }),
  )
}

function choosePlace(places: string[]): string {
  let reason = ''
  for (const place of places) {
    try {
      mkdirSync(place, { recursive: true })
      accessSync(place, constants.W_OK | constants.X_OK)
      return place
    } catch (error) {
      reason += `${place}: ${messageOf(error)}\n`
    }
  }
  throw new PgbkError('root-not-writable', 'there is no place for the working copy', {
    hint: `${reason}Make one of them writable, or set XDG_CACHE_HOME.`,
  })
}
