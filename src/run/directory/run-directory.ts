import { randomBytes, randomInt } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { Backup } from '../../catalog/catalog.js'
import { type RunLayout, rootLayout, runLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { messageOf, PgbkError, systemCode, systemFailure } from '../../errors.js'
import { makeSocketDirectory, removeSocketDirectory } from '../../postgres/local/sockets.js'
import { v } from '../../schema.js'
import { replaceFleetingly } from '../../system/files/durable.js'
import { lookAtNote } from '../../system/files/read-note.js'
import { namesIn } from '../../system/paths/names-in.js'
import { lifeOf, markFields, markOfThisProcess, type ProcessMark } from '../../system/process/process-mark.js'
import { directoryOf, findOwnProcesses, isAlive } from '../../system/process/processes.js'

/** Who made a run's directory, and what runs in it. */
export interface RunMarker extends ProcessMark {
  backup: string
  /** Other backups in whose archives its WAL lies. */
  archives?: string[] | undefined
  /** A detached run goes on without its pgbk. */
  detached: boolean
  started_at: string
  /** A private one of its own. */
  socket_directory?: string | undefined
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
  /** How far it is shut off. */
  sandbox?: string | undefined
}

const markerSchema: v.GenericSchema<unknown, RunMarker> = v.object({
  ...markFields,
  backup: v.string(),
  archives: v.optional(v.array(v.string())),
  detached: v.boolean(),
  started_at: v.string(),
  socket_directory: v.optional(v.string()),
  server: v.optional(
    v.object({
      pid: v.number(),
      port: v.number(),
      role: v.string(),
      database: v.string(),
      url: v.string(),
      working_copy: v.string(),
      sandbox: v.optional(v.string()),
    }),
  ),
})

export interface RunDirectory {
  name: string
  layout: RunLayout
  marker: RunMarker
}

/** A run's directory that this process has made. */
export interface OwnRunDirectory extends RunDirectory {
  /** Of its server's socket. */
  sockets: string
  /** By which its server shows that it is the one: it stands in no command line. */
  secret: string
}

/** Where runs of a root may be: in it, or in the user's cache when it is read-only. */
export function runPlaces(root: string, { env, user }: Context): string[] {
  const usual = join(env.HOME || user().home, '.cache')
  const { XDG_CACHE_HOME: named = '' } = env
  return [rootLayout(root).runs, join(isAbsolute(named) ? named : usual, 'pgbk', 'run')]
}

/**
 * Makes the directory of a new run, `<id>-<n>`, with its marker, and the one of its socket.
 * @throws {PgbkError} `root-not-writable` when there is no place for it, `disk-full` when there is no room; nothing is left.
 */
export function makeRunDirectory(
  backup: Backup,
  root: string,
  context: Context,
  archives?: string[],
): OwnRunDirectory {
  const place = choosePlace(runPlaces(root, context))
  for (;;) {
    // Never the name of a run that has just ended: others may still be removing what is left of that one.
    const name = `${backup.id}-${randomInt(10_000, 100_000)}`
    const layout = runLayout(join(place, name))
    if (existsSync(layout.directory)) continue
    return fillRunDirectory({ backup, archives }, name, layout, context)
  }
}

function fillRunDirectory(
  { backup, archives }: { backup: Backup; archives: string[] | undefined },
  name: string,
  layout: RunLayout,
  { now }: Context,
): OwnRunDirectory {
  let sockets = ''
  try {
    sockets = makeSocketDirectory()
    const marker: RunMarker = {
      backup: backup.id,
      archives,
      ...markOfThisProcess(),
      detached: false,
      started_at: now().toISOString(),
      socket_directory: sockets,
    }
    const run = { name, layout, marker, sockets, secret: randomBytes(24).toString('hex') }
    appearMarked(run)
    for (const directory of [layout.snapshot, layout.upper, layout.work, layout.sandbox]) mkdirSync(directory)
    symlinkSync(backup.layout.snapshot, layout.lower)
    symlinkSync(backup.layout.wal, layout.wal)
    return run
  } catch (error) {
    removeSocketDirectory(sockets)
    rmSync(layout.directory, { recursive: true, force: true })
    throw cannotMake(layout, error)
  }
}

/** It has its marker from the first moment on: without one, what is left of a process that is killed then would be nobody's. */
function appearMarked({ name, layout: { directory }, marker }: RunDirectory): void {
  const draft = join(dirname(directory), `.${name}.${marker.pgbk_pid}.new`)
  mkdirSync(draft)
  try {
    writeMarker({ name, layout: runLayout(draft), marker })
    renameSync(draft, directory)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error
  }
}

/** What is left of runs that were killed before they had their marker. */
export function forgottenDrafts(root: string, context: Context): string[] {
  return runPlaces(root, context).flatMap((place) =>
    namesIn(place, 'EACCES').flatMap((name) => {
      const [, pid] = /^\.\d{8}T\d{6}Z-\d{5}\.(\d+)\.new$/.exec(name) ?? []
      return pid === undefined || isAlive(Number(pid)) ? [] : [join(place, name)]
    }),
  )
}

function cannotMake({ directory }: RunLayout, cause: unknown): PgbkError {
  return systemFailure(`cannot make ${directory} for the working copy`, cause)
}

/** In one step: another pgbk that read half of it would take the run for a dead one. */
export function writeMarker({ layout, marker }: RunDirectory): void {
  replaceFleetingly(layout.marker, `${JSON.stringify(marker, undefined, 2)}\n`)
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

/** All runs of a root, those of a read-only one among them. What has no marker is not a run. */
export function findRuns(root: string, context: Context): RunDirectory[] {
  const { backups } = rootLayout(root)
  return runPlaces(root, context).flatMap((place) =>
    namesIn(place, 'EACCES').flatMap((name) => {
      const layout = runLayout(join(place, name))
      const marker = name.startsWith('.') ? undefined : readMarker(layout)
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
  const note = lookAtNote(markerSchema, layout.marker)
  return note.value ?? (note.why === 'garbled' ? unknownMarker : undefined)
}

const unknownMarker: RunMarker = {
  backup: '',
  pgbk_pid: 0,
  pgbk_start_time: null,
  pid_space: null,
  detached: false,
  started_at: '',
}

/** The argument that every process of a run's server carries, by which it is known. */
export function runArgument(directory: string): string {
  return `pgbk.run=${directory}`
}

/** Its server, or what is left of one that was killed: its children, with titles of their own, notice that a moment later. */
export function processesOf({ layout }: RunDirectory): number[] {
  const servers = findOwnProcesses((command) => command.includes(runArgument(layout.directory)))
  if (servers.length > 0) return servers
  const isChild = (title: string, pid: number) =>
    title.startsWith('postgres: ') && directoryOf(pid)?.startsWith(`${layout.directory}/`)
  return findOwnProcesses(([title = ''], pid) => isChild(title, pid) === true)
}

/** Whether somebody still needs the run: the pgbk that made it, or, if it was detached, its server. */
export function isRunning(run: RunDirectory): boolean {
  const life = lifeOf(run.marker)
  // Better a directory too many than a run's.
  if (life === 'elsewhere') return true
  return run.marker.detached ? processesOf(run).length > 0 : life === 'alive'
}
