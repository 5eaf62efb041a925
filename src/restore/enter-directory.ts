import { resolve } from 'node:path'
import type { Settings, Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { dropPrivileges, dropPrivilegesTo } from '../privileges/drop-privileges.js'
import { ownerOfRoot } from '../privileges/owner-of-root.js'
import { targetDirectories } from '../privileges/target-directories.js'
import { checkWay } from '../privileges/trust.js'
import { checkJson, v } from '../schema.js'
import { giveTo } from '../system/process/become.js'
import { type Partner, startPartner } from '../system/program/start-program.js'
import { parseMapping } from './directory/plan-directory.js'
import type { RestoreOptions } from './plan-restore.js'

/** The process of the user whom a given directory is to belong to, where that is not the user whom the backups belong to. */
export interface DirectoryOfAnother extends Partner {
  /** Where it is, without links. */
  data: string
}

/** What root tells that process: as whom it works, and what it is to do. Nobody else can tell it something else. */
export interface RestoreErrand {
  uid: number
  options: RestoreOptions
}

const text = v.exactOptional(v.string())
const flag = v.exactOptional(v.boolean())
const number = v.exactOptional(v.number())
const texts = v.exactOptional(v.array(v.string()))

const errandSchema: v.GenericSchema<unknown, RestoreErrand> = v.object({
  uid: v.number(),
  options: v.object({
    name: text,
    from: v.exactOptional(v.union([v.string(), v.literal(true)])),
    download: flag,
    port: number,
    start: flag,
    dryRun: flag,
    pgdata: text,
    tablespaceMapping: texts,
    asProduction: flag,
    isOfAnother: flag,
    willBeGiven: texts,
    fetchPostgres: flag,
    toTime: text,
    toLsn: text,
    toXid: text,
    toName: text,
    toLatest: flag,
    toSnapshot: flag,
    exclusive: flag,
    timeline: number,
    pause: flag,
  } satisfies Record<keyof RestoreOptions, unknown>),
})

/** @throws {PgbkError} `usage` for what no pgbk has said. */
export function errandIn(said: string): RestoreErrand {
  const { value, faults } = checkJson(errandSchema, said)
  if (faults) throw new PgbkError('usage', `--received is for pgbk itself: ${faults.slice(0, 3).join('; ')}`)
  return value
}

/** How a restore into a given directory goes on: with these options, alone or with another process. */
export interface EnteredDirectory {
  options: RestoreOptions
  other?: DirectoryOfAnother
}

/**
 * Gives up root before a restore into a given directory, which is made where only root can make it. No user gets to read or write
 * what is another's: the backup is read as its owner, and the directory filled as its own, by a process of its own where these are two.
 * @param words global options for the other process.
 * @throws {PgbkError} as `targetDirectories` and `dropPrivileges`.
 */
export async function enterDirectory(
  options: RestoreOptions,
  words: string[],
  task: Task,
): Promise<EnteredDirectory> {
  const { settings, context } = task
  const { pgdata = '', tablespaceMapping = [], dryRun = false } = options
  const { root, run_as } = settings
  const named = [pgdata, ...tablespaceMapping.map((mapping) => parseMapping(mapping)[1])]
  const absolute = named.map((path) => resolve(context.cwd, path))
  const { owner, paths, ofRoot, make } = targetDirectories(absolute, run_as, context)
  const given = { ...options, willBeGiven: ofRoot }
  if (options.from !== undefined) {
    // Whoever may read the place: nothing of it is of a root here.
    if (!dryRun) giveTo(owner, make())
    dropPrivilegesTo(owner.uid, context)
    return { options: given }
  }
  const reader = context.idsOf(ownerOfRoot(root)?.uid ?? run_as)
  if (reader.uid === owner.uid) {
    dropPrivileges({ as: 'owner', root, ...(dryRun ? {} : { make }) }, run_as, context)
    return { options: given }
  }
  checkWay(root, reader)
  const [data = ''] = paths
  const other = await sendOut({ uid: owner.uid, options: { ...given, pgdata: data } }, words, task)
  try {
    if (!dryRun) giveTo(owner, make())
    dropPrivileges({ as: 'owner', root }, run_as, context)
    return { options: given, other: { ...other, data } }
  } catch (error) {
    other.kill('SIGTERM')
    other.input.end()
    await other.ended
    throw error
  }
}

async function sendOut(
  errand: RestoreErrand,
  words: string[],
  { settings, context: { self, env } }: Task,
): Promise<Partner> {
  const [node = '', ...script] = self
  const received = ['restore', '--received', JSON.stringify(errand), '--config', '/dev/null', ...words]
  return startPartner(node, [...script, ...received], {
    kind: 'another',
    env,
    variables: variablesFor(settings),
  })
}

/** What the other process needs of the configuration, which may be closed to its user. */
function variablesFor({ bin_dir, time_zone }: Settings): Record<string, string> {
  return {
    ...(bin_dir === undefined ? {} : { PGBK_BIN_DIR: bin_dir }),
    ...(time_zone === undefined ? {} : { PGBK_TIME_ZONE: time_zone }),
  }
}
