import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Backup } from '../backup/catalog.js'
import { type RunLayout, rootLayout, runLayout } from '../backup/layout.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { findProcesses, isAlive, signalProcess, startTimeOf } from '../processes.js'
import type { Owner } from './owner.js'

/** The directory of the servers' sockets: short, and known to every psql line that is printed. */
export const socketDirectory = '/tmp'

/** Who made a run's directory, and what runs in it. */
export interface RunMarker {
  backup: string
  pgbk_pid: number
  pgbk_start_time: string | null
  /** A detached run goes on without its pgbk. */
  detached: boolean
  started_at: string
  /** The rest is known once the server answers. */
  server?: RunningServer
}

export interface RunningServer {
  pid: number
  port: number
  role: string
  database: string
  url: string
  working_copy: string
}

export interface RunDirectory {
  name: string
  layout: RunLayout
  marker: RunMarker
}

/** Where runs of a root may be: in it, or in the user's cache when it is read-only. */
export function runPlaces(root: string, { env, user }: Context): string[] {
  const cache = env.XDG_CACHE_HOME || join(env.HOME || user().home, '.cache')
  return [rootLayout(root).runs, join(cache, 'pgbk', 'run')]
}

/**
 * Makes the directory of a new run, `<id>-<n>`, with its marker.
 * @throws {PgbkError} `root-not-writable` when there is no place for it.
 */
export function makeRunDirectory(backup: Backup, root: string, owner: Owner, context: Context): RunDirectory {
  const place = choosePlace(runPlaces(root, context), owner)
  for (let n = 1; ; n++) {
    const name = `${backup.id}-${n}`
    const layout = runLayout(join(place, name))
    try {
      mkdirSync(layout.directory)
    } catch (error) {
      if (systemCode(error) === 'EEXIST') continue
      throw error
    }
    const marker: RunMarker = {
      backup: backup.id,
      pgbk_pid: process.pid,
      pgbk_start_time: startTimeOf(process.pid) ?? null,
      detached: false,
      started_at: context.now().toISOString(),
    }
    const run = { name, layout, marker }
    writeMarker(run)
    for (const directory of [layout.snapshot, layout.upper, layout.work]) mkdirSync(directory)
    symlinkSync(backup.layout.snapshot, layout.lower)
    symlinkSync(backup.layout.wal, layout.wal)
    for (const path of [layout.marker, layout.snapshot, layout.upper, layout.work, layout.directory])
      chownSync(path, owner.uid, owner.gid)
    return run
  }
}

export function writeMarker({ layout, marker }: RunDirectory): void {
  writeFileSync(layout.marker, `${JSON.stringify(marker, undefined, 2)}\n`)
}

function choosePlace(places: string[], owner: Owner): string {
  let reason = ''
  for (const place of places) {
    try {
      if (!existsSync(place)) {
        mkdirSync(place, { recursive: true })
        if (place === places[0]) chownSync(place, owner.uid, owner.gid)
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
  const backups = rootLayout(root).backups
  return runPlaces(root, context).flatMap((place) =>
    namesIn(place).flatMap((name) => {
      const layout = runLayout(join(place, name))
      const marker = readMarker(layout)
      return marker && linksInto(layout, backups) ? [{ name, layout, marker }] : []
    }),
  )
}

function namesIn(place: string): string[] {
  try {
    return readdirSync(place)
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(systemCode(error) ?? '')) return []
    throw error
  }
}

/** The cache serves all roots. */
function linksInto(layout: RunLayout, backups: string): boolean {
  return layout.directory.startsWith(join(backups, '..')) || existsSync(layout.lower)
}

function readMarker(layout: RunLayout): RunMarker | undefined {
  try {
    return JSON.parse(readFileSync(layout.marker, 'utf8')) as RunMarker
  } catch (error) {
    if (error instanceof SyntaxError)
      return { backup: '', pgbk_pid: 0, pgbk_start_time: null, detached: false, started_at: '' }
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
  const { detached, pgbk_pid, pgbk_start_time } = run.marker
  if (detached) return processesOf(run).length > 0
  return pgbk_pid > 0 && isAlive(pgbk_pid, pgbk_start_time ?? undefined)
}

/** Ends what is left of runs whose pgbk was killed, and removes their directories. Others are not touched. */
export async function sweepRuns(root: string, context: Context): Promise<void> {
  for (const run of findRuns(root, context)) {
    if (isRunning(run)) continue
    if (context.user().uid !== 0 && statSync(run.layout.directory).uid !== context.user().uid) continue
    await endRun(run)
    context.progress.say(`removed ${run.name}, the remains of a run that did not end`)
  }
}

/** Which signal to send after how many ms: fast shutdown, immediate shutdown, the end. */
const stopSignals = new Map<number, NodeJS.Signals>([
  [0, 'SIGINT'],
  [10_000, 'SIGQUIT'],
  [15_000, 'SIGKILL'],
])

/** Stops the server of a run, waits for its end and removes the run's directory. */
export async function endRun(run: RunDirectory): Promise<void> {
  for (let waited = 0, left = processesOf(run); left.length > 0; waited += 20, left = processesOf(run)) {
    const signal = stopSignals.get(waited)
    if (signal !== undefined) for (const pid of left) signalProcess(pid, signal)
    await sleep(20)
  }
  await removeRun(run)
}

/** Removes the directory of a run that has ended, the marker last; its supervisor may do the same at this moment. */
async function removeRun({ layout }: RunDirectory): Promise<void> {
  const inner = join(layout.work, 'work')
  if (existsSync(inner)) chmodSync(inner, 0o700) // an overlay's own has mode 000
  for (const name of namesIn(layout.directory)) {
    const path = join(layout.directory, name)
    if (path !== layout.marker) await rm(path, { recursive: true, force: true })
  }
  await rm(layout.directory, { recursive: true, force: true })
  removeSockets(layout.data)
}

/** A server that was killed leaves its socket and its lock, whose second line is the data directory. */
function removeSockets(dataDirectory: string): void {
  for (const name of namesIn(socketDirectory).filter((one) => /^\.s\.PGSQL\.\d+\.lock$/.test(one))) {
    const lock = join(socketDirectory, name)
    if (linesOf(lock)[1] !== dataDirectory) continue
    rmSync(lock, { force: true })
    rmSync(lock.replace(/\.lock$/, ''), { force: true })
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return [] // somebody else's, or gone
  }
}
