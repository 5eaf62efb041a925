import type { ReadableBackup } from '../catalog/backup.js'
import type { Config } from '../config/schema.js'
import type { ServerPrograms } from '../postgres/programs/find-server.js'
import type { RecoveryPlan } from '../recovery/recovery-plan.js'
import type { SandboxMode } from './enclosure/start-enclosed.js'
import type { WorkingCopyKind } from './working-copy/working-copy.js'
import type { WorkingCopyWish } from './working-copy/working-copy-methods.js'

/** What is wanted of a run. */
export interface RunRequest {
  backup: ReadableBackup
  root: string
  programs: ServerPrograms
  workingCopy: WorkingCopyKind | 'auto'
  /** See `WorkingCopyWish`. */
  failed?: WorkingCopyWish['failed']
  sandbox: SandboxMode
  /** Whether other programs reach it at its port; pgbk itself needs only its socket. */
  hasPort: boolean
  /** Settings as `postgres -c`. */
  settings: Record<string, string>
  port: number | undefined
  database: string | undefined
  /** How it gets to the recovery target. */
  recovery: RecoveryPlan
  /**
   * Settled when all files of the backup are known to be there, and no links among them; undefined where nobody looks. A server that is
   * shut off is started meanwhile, and nothing else is done.
   */
  complete?: Promise<void> | undefined
}

/** Settings of the configuration, as `postgres -c` takes them. */
export function settingTexts(settings: Config['run']['settings']): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]))
}
