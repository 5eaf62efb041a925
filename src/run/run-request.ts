import type { Backup } from '../backup/catalog.js'
import type { ServerPrograms } from '../postgres/find-server.js'
import type { RecoveryPlan } from '../postgres/recovery-plan.js'
import type { WorkingCopyKind } from './working-copy.js'

/** What is wanted of a run. */
export interface RunRequest {
  backup: Backup
  root: string
  programs: ServerPrograms
  workingCopy: WorkingCopyKind | 'auto'
  /** Settings as `postgres -c`. */
  settings: Record<string, string>
  port: number | undefined
  database: string | undefined
  /** How it gets to the wanted moment. */
  recovery: RecoveryPlan
}
