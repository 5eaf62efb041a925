import type { Settings, Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { isSecret, parseConnection } from '../postgres/connection/conninfo.js'
import { spanMs } from '../retention/calendar.js'
import { policyOf, type RetentionPolicy, removesAnything } from '../retention/retention.js'
import { noPassword, type Surroundings, shellCommand, variablesFrom } from './command.js'
import {
  cronDaemonProblem,
  cronEnvironment,
  readCrontab,
  readCrontabToChange,
  writeCrontab,
} from './crontab.js'
import { type CrontabEntry, crontabLine, entriesIn, withEntry, withoutEntry } from './entry.js'
import { type Findings, type RehearsedStore, rehearse } from './rehearse.js'
import { type SystemdUnit, systemdUnits } from './systemd-units.js'
import { crontabFields, daysBetween, parseTimes, type ScheduleTimes } from './times.js'

export interface ScheduleOptions extends ConnectionFlags {
  daily?: string
  weekly?: string[]
  prove?: boolean
  packed?: boolean
  /** False: backups pile up. */
  prune?: boolean
}

/** A line for cron, and what it stands for. */
interface SchedulePlan {
  times: ScheduleTimes
  line: string
  commands: string[][]
  connection: string[]
  surroundings: Surroundings
}

/** How much room the backups of a schedule will take. */
export interface Forecast {
  /** How many are kept at most, with the one that is made before others go; undefined where nothing goes. */
  count: number | undefined
  /** Bytes of one. */
  each: number
  /** Bytes that are free, and that the backups of today take. */
  room: number
}

export interface WrittenSchedule {
  entry: CrontabEntry
  /** False when the crontab had this very line already. */
  changed: boolean
  forecast: Forecast
}

/**
 * Writes the line into the caller's crontab, after pgbk doctor has found everything well under cron's environment. All other lines
 * stay as they are.
 * @throws {PgbkError} `usage` for a password, `check-failed` when the line would not work, as it says.
 */
export async function schedule(options: ScheduleOptions, task: Task): Promise<WrittenSchedule> {
  const { settings, context } = task
  const plan = planSchedule(options, task)
  context.progress.step('checking it under the environment of cron')
  const environment = cronEnvironment(context.user(), await readCrontabToChange(context))
  const findings = await rehearse({ ...plan, environment, stores: storesOf(settings) }, context)
  // That took a while, and others write into the crontab too.
  const before = await readCrontabToChange(context)
  const after = withEntry(before, settings.root, plan.line)
  if (after !== before) await writeCrontab(after, context)
  const entry = entriesIn(await readCrontab(context)).find(({ root }) => root === settings.root)
  if (entry?.line !== plan.line)
    throw new PgbkError('failed', 'the crontab does not have the line that was written')
  const problem = cronDaemonProblem()
  if (problem !== undefined) context.progress.warn(problem)
  const forecast = forecastOf(plan, findings, options, settings)
  if (isTooMuch(forecast)) context.progress.warn('the disk is too small for as many backups as will be kept')
  return { entry, changed: after !== before, forecast }
}

/** The line, complete in itself. Nothing is looked at. @throws {PgbkError} `usage`. */
export function planSchedule(options: ScheduleOptions, { settings, context }: Task): SchedulePlan {
  const times =
    options.daily === undefined
      ? parseTimes((options.weekly ?? []).join(' '), 'week')
      : parseTimes(options.daily, 'day')
  const connection = connectionWords(options)
  const surroundings: Surroundings = {
    self: context.self,
    root: settings.root,
    configFile: settings.configFile,
    variables: variablesFrom(context.env, Object.keys(settings.stores).length > 0),
  }
  refusePassword(surroundings.variables.PGBK_CONNECTION)
  const further = [...(options.prove ? ['--prove'] : []), ...(options.packed ? ['--packed'] : [])]
  const create = ['create', '--scheduled', ...further, '--quiet', ...connection]
  const commands = [create, ...(options.prune === false ? [] : pruning(settings))]
  const line = crontabLine(crontabFields(times), shellCommand(commands, surroundings), settings.root)
  return { times, line, commands, connection, surroundings }
}

/** Those that the line has to do with. */
function storesOf({ stores }: Settings): RehearsedStore[] {
  return Object.entries(stores)
    .filter(([, { upload, retention }]) => upload !== 'never' || removesAnything(retention))
    .map(([name, { url }]) => ({ name, isS3: url.startsWith('s3:') }))
}

/** The root, and each store whose retention stands in the configuration here. */
function pruning({ stores }: Settings): string[][] {
  const pruned = Object.keys(stores).filter((name) => removesAnything(stores[name]?.retention))
  return [
    ['prune', '--yes', '--quiet', '--default-policy'],
    ...pruned.map((name) => ['prune', '--from', name, '--yes', '--quiet']),
  ]
}

/** Units for systemd, as text; they are put in place by hand. @throws {PgbkError} `usage`. */
export function planUnits(options: ScheduleOptions, task: Task): SystemdUnit[] {
  const { settings, context } = task
  const plan = planSchedule(options, task)
  const { uid, name } = context.user()
  return systemdUnits({
    ...plan,
    user: uid === 0 ? settings.run_as : name,
    receive: ['wal', 'receive', ...plan.connection],
    needsNamespaces: (options.prove ?? false) || packs(options, settings),
  })
}

/** The lines of all roots in the caller's crontab. */
export async function listSchedules(context: Context): Promise<CrontabEntry[]> {
  return entriesIn(await readCrontab(context))
}

/** Takes a root's line out of the caller's crontab. Undefined when there was none. */
export async function removeSchedule({
  settings: { root },
  context,
}: Task): Promise<CrontabEntry | undefined> {
  const before = await readCrontabToChange(context)
  const entry = entriesIn(before).find((one) => one.root === root)
  if (entry) await writeCrontab(withoutEntry(before, root), context)
  return entry
}

/** Whether images are made, which are mounted to be read. */
function packs({ packed = false }: ScheduleOptions, { create, retention }: Settings): boolean {
  return packed || create.form === 'packed' || retention?.pack_after !== undefined
}

function connectionWords({ dbname, host, port, username }: ScheduleOptions): string[] {
  refusePassword(dbname)
  const words: [string, string | undefined][] = [
    ['-d', dbname],
    ['-h', host],
    ['-p', port],
    ['-U', username],
  ]
  return words.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]))
}

function refusePassword(connection: string | undefined): void {
  const parameters = connection === undefined ? {} : parseConnection(connection)
  const secret = Object.keys(parameters).find(isSecret)
  if (secret !== undefined)
    throw noPassword(`the ${secret} in the connection string would stand in the crontab`)
}

function forecastOf(
  { times }: SchedulePlan,
  { needed_bytes, room_bytes }: Findings,
  { prune }: ScheduleOptions,
  { retention }: Settings,
): Forecast {
  return {
    count: prune === false ? undefined : keptBy(policyOf(retention, true), times),
    each: needed_bytes ?? 0,
    room: room_bytes ?? 0,
  }
}

const day = 86_400_000

/** At most so many backups stay; undefined for a policy that lets them pile up. */
export function keptBy(policy: RetentionPolicy | undefined, times: ScheduleTimes): number | undefined {
  if (!removesAnything(policy)) return undefined
  const { daily = 0, weekly = 0, monthly = 0, on_demand = 0, min = 0, window } = policy
  const inWindow = window === undefined ? 0 : Math.ceil(spanMs(window) / day / daysBetween(times)) + 1
  if (daily + weekly + monthly + inWindow === 0) return undefined
  return Math.max(min, daily + weekly + monthly + on_demand + inWindow) + 1
}

function isTooMuch({ count, each, room }: Forecast): boolean {
  return (count ?? 1) * each > room
}
