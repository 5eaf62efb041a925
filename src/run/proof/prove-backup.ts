import { recordOf } from '../../catalog/backup.js'
import { type Proof, proofFormat } from '../../catalog/proof.js'
import type { Config } from '../../config/schema.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { endRun } from '../directory/end-run.js'
import { endedByAnother, tellsOfAnother } from '../ended-by-another.js'
import type { RunRequest } from '../run-request.js'
import { type Run, startRun } from '../start-run.js'
import { checkContents } from './check-contents.js'
import { type Finding, findingOf } from './finding.js'

export interface ProofRequest extends RunRequest {
  /** The user's own statements. */
  sql: Config['verify']['sql']
}

/**
 * Really starts a backup on a working copy, replays its WAL, and looks into every database. The backup stays as it is. What this
 * machine is to blame for (no working copy, no room, a locale that is missing) is unproven, and no fault.
 * @throws {PgbkError} when the run was ended by another pgbk, or the backup removed; the signal's reason when aborted.
 */
export async function proveBackup(request: ProofRequest, context: Context): Promise<Proof> {
  const { backup, programs, sql } = request
  const record = recordOf(backup)
  const startedAt = context.now().getTime()
  let run: Run | undefined
  let readyMs: number | null = null
  const findings: Finding[] = []
  context.progress.step(`proving ${backup.id}: starting it`)
  try {
    run = await startRun(request, context)
    readyMs = context.now().getTime() - startedAt
    const contents = { record, run, sql }
    findings.push(...(await unlessEnded(run, () => checkContents(contents, context))))
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError) || saysNothing(error)) throw error
    findings.push(findingOf(error, { database: null, what: run ? 'its server' : 'it does not start' }))
  } finally {
    if (run) await stopRun(run, context)
  }
  return {
    ...proofOf(backup.id, findings, context),
    postgres_version: programs.installations.find(({ bin }) => bin === programs.bin)?.version ?? '',
    ready_ms: readyMs,
    replay_ms: run?.replayMs ?? null,
  }
}

/** The proof that these findings make, of a backup that was not started. */
export function proofOf(id: string, findings: readonly Finding[], { now }: Pick<Context, 'now'>): Proof {
  return {
    format: proofFormat,
    backup: id,
    finished_at: now().toISOString(),
    ok: findings.length === 0,
    faults: findings.flatMap((one) => (one.kind === 'damage' ? [one.text] : [])),
    unproven: findings.flatMap((one) =>
      one.kind === 'unproven' ? [{ database: one.database, reason: one.reason }] : [],
    ),
    postgres_version: '',
    ready_ms: null,
    replay_ms: null,
  }
}

/** What has nothing to do with the backup, but with what else goes on here. */
export function saysNothing(error: PgbkError): boolean {
  return tellsOfAnother(error) || ['not-found', 'locked', 'lock-lost', 'config'].includes(error.code)
}

/** What fails in a run that somebody else ends says nothing about its backup. */
async function unlessEnded({ directory }: Run, look: () => Promise<Finding[]>): Promise<Finding[]> {
  const findings = await look().catch((error) => {
    throw endedByAnother(directory, error) ?? error
  })
  const ended = findings.length > 0 ? endedByAnother(directory) : undefined
  if (ended) throw ended
  return findings
}

async function stopRun({ server, directory }: Run, context: Context): Promise<void> {
  await server.stop(context)
  await endRun(directory, context)
}
