import { resolve } from 'node:path'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { parseMapping } from '../instances/plan-directory.js'
import { giveTo, userEnvironment } from '../privileges/become.js'
import { ownerOfRoot } from '../privileges/owner-of-root.js'
import { stepDown } from '../privileges/step-down.js'
import { targetDirectories } from '../privileges/target-directories.js'
import { type ProgramOfAnother, startAs } from '../program/start-as.js'
import type { RestoreOptions } from './plan-restore.js'

/** The process of the user whom a given directory is to belong to, where that is not the user whom the backups belong to. */
export interface DirectoryOfAnother extends ProgramOfAnother {
  /** Where it is, without links. */
  data: string
}

/**
 * Gives up root before a restore into a given directory, which is made where only root can make it. No user gets to read or write
 * what is another's: the backup is read as its owner, and the directory filled as its own.
 * @param words global options for the other process.
 * @returns the process that fills the directory; undefined where both have one owner, who does it alone.
 * @throws {PgbkError} as `targetDirectories` and `stepDown`.
 */
export async function enterDirectory(
  { pgdata = '', tablespaceMapping = [], dryRun = false }: RestoreOptions,
  words: string[],
  settings: Settings,
  context: Context,
): Promise<DirectoryOfAnother | undefined> {
  const { root, run_as } = settings
  const named = [pgdata, ...tablespaceMapping.map((mapping) => parseMapping(mapping)[1])]
  const { owner, paths, make } = targetDirectories(
    named.map((path) => resolve(context.cwd, path)),
    run_as,
    context,
  )
  const reader = ownerOfRoot(root)?.uid ?? context.idsOf(run_as).uid
  const [data = ''] = paths
  if (reader === owner.uid) {
    stepDown({ as: 'owner', root, ...(dryRun ? {} : { make }) }, run_as, context)
    return undefined
  }
  const [node = '', ...script] = context.self
  const received = ['restore', '--received', '-D', data, '-C', data, '--config', '/dev/null', ...words]
  const environment = { ...userEnvironment(owner.uid, context.env), ...settingsFor(settings) }
  const other = await startAs(owner, node, [...script, ...received], environment)
  if (!dryRun) giveTo(owner, make())
  stepDown({ as: 'owner', root }, run_as, context)
  return { ...other, data }
}

/** What the other process needs of the configuration, which may be closed to its user. */
function settingsFor({ bin_dir, time_zone }: Settings): Record<string, string> {
  return {
    ...(bin_dir === undefined ? {} : { PGBK_BIN_DIR: bin_dir }),
    ...(time_zone === undefined ? {} : { PGBK_TIME_ZONE: time_zone }),
  }
}
