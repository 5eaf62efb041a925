import { recordOf } from '../catalog/backup.js'
import { majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import type { RecoveryResult } from '../recovery/await-recovery.js'
import { namingLibrary } from '../start-up/library-needed.js'
import { missingFiles } from './directory/missing-files.js'
import type { DirectoryRequest } from './directory/plan-directory.js'
import { type StartedDirectory, startDirectory } from './directory/start-directory.js'
import type { Instance } from './instance/instance.js'
import type { RestorePlan } from './plan-restore.js'

export interface RestoreResult {
  plan: RestorePlan
  dryRun: boolean
  /** The instance that was made. */
  instance?: Instance
  /** Where a server answers, if one was started. */
  port?: number
  /** How to get into that server, where it has a configuration of its own. */
  login?: StartedDirectory['login']
  /** What its recovery has reached. */
  recoveryResult?: RecoveryResult | undefined
  /** What was changed in the configuration of a given directory, or is missing in it. */
  notes: string[]
}

/** Looks at what a filled directory lacks here, and starts its server where that is wanted. */
export async function finishDirectory(
  plan: RestorePlan,
  request: DirectoryRequest,
  notes: string[],
  context: Context,
): Promise<RestoreResult> {
  const { data, backup } = request
  const directory = {
    data,
    source: data,
    major: majorOf(recordOf(backup)),
    isOfAnother: false,
  }
  const { stops, others } = await missingFiles(directory, plan.programs, context)
  const missing = [...stops, ...others]
  if (!plan.start) return { plan, dryRun: false, notes: [...notes, ...missing] }
  missing.forEach(context.progress.warn)
  const started = await startDirectory(request, plan.programs.postgres, context).catch((error) => {
    throw namingLibrary(error, recordOf(backup))
  })
  return { plan, dryRun: false, notes, ...started }
}
