import { join } from 'node:path'
import type { Context } from '../../context.js'
import { acceptsWrites, takesQueries } from '../../postgres/local/instance-server.js'
import { awaitRecovery, type RecoveringServer, type RecoveryResult } from '../../recovery/await-recovery.js'
import { checkRecoveryResult, readRecoveryEnd } from '../../recovery/recovery-end.js'
import type { RecoveryPlan } from '../../recovery/recovery-plan.js'

/**
 * Waits until a server in this data directory has replayed its WAL. Where it lets nobody in, its files tell when that is over.
 * @param plan what it has to reach, where that is known.
 * @throws {PgbkError} `failed` with the end of its log, `damaged` when it has not reached what it should.
 */
export async function awaitReplay(
  data: string,
  server: Pick<RecoveringServer, 'log' | 'sql' | 'hasEnded'>,
  plan: RecoveryPlan | undefined,
  context: Context,
): Promise<RecoveryResult> {
  const awaited = { ...server, answers: () => takesQueries(data), isOver: () => acceptsWrites(data) }
  const recoveryResult = await awaitRecovery(awaited, plan?.range, { mayPause: false }, context)
  if (plan) checkRecoveryResult(plan, readRecoveryEnd(join(data, 'pg_wal')).lsn, recoveryResult.commitTime)
  return recoveryResult
}
