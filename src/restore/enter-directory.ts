import { resolve } from 'node:path'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { ownerOfRoot } from '../privileges/owner-of-root.js'
import { stepDown } from '../privileges/step-down.js'
import { targetDirectories } from '../privileges/target-directories.js'
import { checkWay } from '../privileges/trust.js'
import { giveTo } from '../system/process/become.js'
import { type Partner, startPartner } from '../system/program/start-partner.js'
import { parseMapping } from './directory/plan-directory.js'
import type { RestoreOptions } from './plan-restore.js'

/** The process of the user whom a given directory is to belong to, where that is not the user whom the backups belong to. */
export interface DirectoryOfAnother extends Partner {
  /** Where it is, without links. */
  data: string
}

/** What root tells that process: as whom it works, and what it is to do. Nobody else can tell it something else. */
export interface Errand {
  uid: number
  options: RestoreOptions
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
 * @throws {PgbkError} as `targetDirectories` and `stepDown`.
 */
export async function enterDirectory(
  options: RestoreOptions,
  words: string[],
  settings: Settings,
  context: Context,
): Promise<EnteredDirectory> {
  const { pgdata = '', tablespaceMapping = [], dryRun = false } = options
  const { root, run_as } = settings
  const named = [pgdata, ...tablespaceMapping.map((mapping) => parseMapping(mapping)[1])]
  const absolute = named.map((path) => resolve(context.cwd, path))
  const { owner, paths, ofRoot, make } = targetDirectories(absolute, run_as, context)
  const reader = context.idsOf(ownerOfRoot(root)?.uid ?? run_as)
  const given = { ...options, willBeGiven: ofRoot }
  if (reader.uid === owner.uid) {
    stepDown({ as: 'owner', root, ...(dryRun ? {} : { make }) }, run_as, context)
    return { options: given }
  }
  checkWay(root, reader)
  const [data = ''] = paths
  const other = await sendOut(
    { uid: owner.uid, options: { ...given, pgdata: data } },
    words,
    settings,
    context,
  )
  try {
    if (!dryRun) giveTo(owner, make())
    stepDown({ as: 'owner', root }, run_as, context)
    return { options: given, other: { ...other, data } }
  } catch (error) {
    other.kill('SIGTERM')
    other.input.end()
    await other.ended
    throw error
  }
}

async function sendOut(
  errand: Errand,
  words: string[],
  settings: Settings,
  { self, env }: Context,
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
