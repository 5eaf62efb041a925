import { randomInt } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { type RunLayout, rootLayout, runLayout } from '../backup/layout.js'
import type { Owner } from '../backup/owner.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode, systemFailure } from '../errors.js'
import { namesIn } from '../names-in.js'
import { findProcesses, lifeOf, markOfThisProcess, type ProcessMark } from '../processes.js'
import { mostBytes, readSmallText } from '../read-small.js'
import { checkJson, v } from '../schema.js'

/** Who made a run's directory, and what runs in it. */
export interface RunMarker extends ProcessMark {
  backup: string
  /** A detached run goes on without its pgbk. */
  detached: boolean
  started_at: string
  /** The rest is known once the server answers. */
  server?: RunningServer | undefined
}

export interface RunningServer {
  pid: number
  port: number
  role: string
  database: string
  url: string
  working_copy: string
}

const markerSchema: v.GenericSchema<unknown, RunMarker> = v.object({
  pgbk_pid: v.number(),
  pgbk_start_time: v.nullable(v.string()),
  pid_space: v.nullable(v.string()),
  backup: v.string(),
  detached: v.boolean(),
  started_at: v.string(),
  server: v.optional(
    v.object({
      pid: v.number(),
      port: v.number(),
      role: v.string(),
      database: v.string(),
      url: v.string(),
      working_copy: v.string(),
    }),
  ),
})

export interface RunDirectory {
  name: string
  layout: RunLayout
  marker: RunMarker
}

/** Where runs of a root may be: in it, or in the user's cache when it is read-only. */
export function runPlaces(root: string, { env, user }: Context): string[] {
  const { uid, home } = user()
  // Root's own cache would be closed to those whom its servers run as.
  const usual = uid === 0 ? '/var/cache' : join(env.HOME || home, '.cache')
  const { XDG_CACHE_HOME: named = '' } = env
  return [rootLayout(root).runs, join(isAbsolute(named) ? named : usual, 'pgbk', 'run')]
}

/**
 * Makes the directory of a new run, `<id>-<n>`, with its marker.
 * @throws {PgbkError} `root-not-writable` when there is no place for it, `disk-full` when there is no room; nothing is left.
 */
export function makeRunDirectory(backup: Backup, root: string, owner: Owner, context: Context): RunDirectory {
  const place = choosePlace(runPlaces(root, context), owner)
  for (;;) {
    // Never the name of a run that has just ended: others may still be removing what is left of that one.
    const name = `${backup.id}-${randomInt(10_000, 100_000)}`
    const layout = runLayout(join(place, name))
    try {
      mkdirSync(layout.directory)
    } catch (error) {
      if (systemCode(error) === 'EEXIST') continue
      throw cannotMake(layout, error)
    }
    const marker: RunMarker = {
      backup: backup.id,
      ...markOfThisProcess(),
      detached: false,
      started_at: context.now().toISOString(),
    }
    const run = { name, layout, marker }
    try {
      writeMarker(run)
      for (const directory of [layout.snapshot, layout.upper, layout.work]) mkdirSync(directory)
      symlinkSync(backup.layout.snapshot, layout.lower)
      symlinkSync(backup.layout.wal, layout.wal)
      for (const path of [layout.marker, layout.snapshot, layout.upper, layout.work, layout.directory])
        lchownSync(path, owner.uid, owner.gid)
    } catch (error) {
      rmSync(layout.directory, { recursive: true, force: true })
      throw cannotMake(layout, error)
    }
    return run
  }
}

function cannotMake({ directory }: RunLayout, cause: unknown): PgbkError {
  return systemFailure(`cannot make ${directory} for the working copy`, cause)
}

/**
 * In one step: another pgbk that read half of it would take the run for a dead one. Root never writes to what is there, which
 * the user of the server may have made a link.
 */
export function writeMarker({ layout, marker }: RunDirectory): void {
  const { uid, gid } = lstatSync(layout.directory)
  const next = `${layout.marker}.new`
  writeFileSync(next, `${JSON.stringify(marker, undefined, 2)}\n`, { flag: 'wx' })
  lchownSync(next, uid, gid)
  renameSync(next, layout.marker)
}

function choosePlace(places: string[], owner: Owner): string {
  let reason = ''
  for (const place of places) {
    try {
      if (!existsSync(place)) {
        mkdirSync(place, { recursive: true })
        if (place === places[0]) lchownSync(place, owner.uid, owner.gid)
        else for (const made of [dirname(place), place]) chmodSync(made, 0o711)
      }
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

/** All runs of a root, those of a read-only one among them. What has no marker is no run. */
export function findRuns(root: string, context: Context): RunDirectory[] {
  const { backups } = rootLayout(root)
  return runPlaces(root, context).flatMap((place) =>
    namesIn(place, 'EACCES').flatMap((name) => {
      const layout = runLayout(join(place, name))
      const marker = readMarker(layout)
      return marker && (place === rootLayout(root).runs || linksInto(layout, backups))
        ? [{ name, layout, marker }]
        : []
    }),
  )
}

/** The cache serves all roots. One that was killed before it made its link is anybody's. */
function linksInto({ lower }: RunLayout, backups: string): boolean {
  try {
    return readlinkSync(lower).startsWith(`${backups}/`)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return true
    throw error
  }
}

export function readMarker(layout: RunLayout): RunMarker | undefined {
  try {
    const { value } = checkJson(markerSchema, readSmallText(layout.marker, mostBytes.note))
    return (
      value ?? {
        backup: '',
        pgbk_pid: 0,
        pgbk_start_time: null,
        pid_space: null,
        detached: false,
        started_at: '',
      }
    )
  } catch (error) {
    // No pgbk puts anything but a file there.
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

/** The argument that every process of a run's server carries, by which it is known. */
export function runArgument(directory: string): string {
  return `pgbk.run=${directory}`
}

export function processesOf({ layout }: RunDirectory): number[] {
  return findProcesses((command) => command.includes(runArgument(layout.directory)))
}

/** Whether somebody still needs the run: the pgbk that made it, or, if it was detached, its server. */
export function isRunning(run: RunDirectory): boolean {
  const life = lifeOf(run.marker)
  // Better a directory too many than a run's.
  if (life === 'elsewhere') return true
  return run.marker.detached ? processesOf(run).length > 0 : life === 'alive'
}
