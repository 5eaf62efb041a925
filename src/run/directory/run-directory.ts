import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type RunLayout, rootLayout, runLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { systemCode } from '../../errors.js'
import { v } from '../../schema.js'
import { replaceFleetingly } from '../../system/files/durable.js'
import { lookAtNote } from '../../system/files/read-note.js'
import { cacheDirectory } from '../../system/paths/cache-directory.js'
import { namesIn } from '../../system/paths/names-in.js'
import { lifeOf, markFields, type ProcessMark } from '../../system/process/process-mark.js'
import { directoryOf, findOwnProcesses } from '../../system/process/process-table.js'

/** Who made a run's directory, and what runs in it. */
export interface RunMarker extends ProcessMark {
  backup: string
  /** Other backups in whose archives its WAL lies. */
  archives?: string[] | undefined
  /** The place elsewhere that its backup is borrowed from, and where it is noted how much was fetched of it. */
  from?: { place: string; note: string } | undefined
  /** A detached run goes on without its pgbk. */
  detached: boolean
  started_at: string
  /** A private one of its own. */
  socket_directory?: string | undefined
  /** The rest is known once the server answers. */
  server?: RunningServer | undefined
}

interface RunningServer {
  pid: number
  port: number
  role: string
  database: string
  url: string
  working_copy: string
  /** Whether files that are copied share their blocks with the backup's. */
  reflinks?: boolean | undefined
  /** How far it is shut off. */
  sandbox?: string | undefined
}

const markerSchema: v.GenericSchema<unknown, RunMarker> = v.object({
  ...markFields,
  backup: v.string(),
  archives: v.optional(v.array(v.string())),
  from: v.optional(v.object({ place: v.string(), note: v.string() })),
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
      reflinks: v.optional(v.boolean()),
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
export function placesForRuns(root: string, context: Context): string[] {
  return [rootLayout(root).runs, placeForBorrowed(context)]
}

/** In one step: another pgbk that read half of it would take the run for a dead one. */
export function writeRunMarker({ layout, marker }: RunDirectory): void {
  replaceFleetingly(layout.marker, `${JSON.stringify(marker, undefined, 2)}\n`)
}

/** Where the runs of borrowed backups are, whatever root they were started in. */
export function placeForBorrowed(context: Context): string {
  return join(cacheDirectory(context), 'run')
}

/** All runs of a root, those of a read-only one among them, and those of borrowed backups. What has no marker is not a run. */
export function findRuns(root: string, context: Context): RunDirectory[] {
  const { backups } = rootLayout(root)
  return placesForRuns(root, context).flatMap((place) =>
    namesIn(place, 'EACCES').flatMap((name) => {
      const layout = runLayout(join(place, name))
      const marker = name.startsWith('.') ? undefined : readRunMarker(layout)
      const isOfRoot = place === rootLayout(root).runs || marker?.from || linksInto(layout, backups)
      return marker && isOfRoot ? [{ name, layout, marker }] : []
    }),
  )
}

/** The cache serves all roots. One that was killed before it made its link is anybody's. */
function linksInto({ lower, image }: RunLayout, backups: string): boolean {
  // That of a packed backup is mounted there.
  const target = targetOf(lower) ?? targetOf(image)
  return target === undefined || target.startsWith(`${backups}/`)
}

/** Undefined where there is no link. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (['ENOENT', 'EINVAL'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

export function readRunMarker(layout: RunLayout): RunMarker | undefined {
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
