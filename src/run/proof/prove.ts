import { sweepBorrowed } from '../../borrowing/borrowed-root.js'
import { type LocalBackup, layoutOf, recordOf } from '../../catalog/backup.js'
import type { Catalog } from '../../catalog/catalog.js'
import { type Proof, proofFormat, resultOf, writeProof } from '../../catalog/proof.js'
import { majorOf } from '../../catalog/record.js'
import { checkStillThere, unlessRemoved } from '../../catalog/removed-meanwhile.js'
import type { Settings, Task } from '../../config/load.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { allInstallations, findServer } from '../../postgres/programs/find-server.js'
import { chooseBackup } from '../../recovery/choose-backup.js'
import { checkNewTablespaces } from '../../recovery/open-backup.js'
import { checkConf } from '../../snapshot/conf/check-conf.js'
import { walPool } from '../../wal-archive/wal-pool.js'
import { endRun, sweepRuns } from '../directory/end-run.js'
import type { SandboxMode } from '../enclosure/start-enclosed.js'
import { endedByAnother, tellsOfAnother } from '../ended-by-another.js'
import { type RunRequest, settingTexts } from '../run-request.js'
import { type Run, startRun } from '../start-run.js'
import { checkContents } from './check-contents.js'
import { damage, type Finding, findingOf } from './finding.js'

/**
 * Really starts a backup, replays its WAL to the end, looks into every database, and keeps what was found as its proof; one that
 * says less than the last does not take its place.
 * @param known faults that a check of its files has found: with those there is nothing to start.
 * @throws {PgbkError} when another pgbk has ended its run, or the command is wrong; `not-found` when it is removed meanwhile.
 */
export async function prove(
  backup: LocalBackup,
  catalog: Catalog,
  known: readonly string[],
  task: Task,
): Promise<Proof> {
  const { context } = task
  return unlessRemoved(backup, context, async () => {
    const proof = known.length > 0 ? refuted(backup, known, context) : await tryOut(backup, catalog, task)
    // In a directory that is being removed it would stay behind.
    checkStillThere(backup)
    if (saysLess(proof, backup.proof)) context.progress.say(`the last proof of ${backup.id} stays`)
    else await writeProof(layoutOf(backup), proof)
    return proof
  })
}

/** The task with another mode of the sandbox, where there is one. */
export function withSandbox({ settings, context }: Task, sandbox: SandboxMode | undefined): Task {
  if (sandbox === undefined) return { settings, context }
  return { settings: { ...settings, run: { ...settings.run, sandbox } }, context }
}

async function tryOut(backup: LocalBackup, catalog: Catalog, task: Task): Promise<Proof> {
  const { settings, context } = task
  await sweepRuns(settings.root, context)
  await sweepBorrowed(context)
  try {
    const request = await requestFor(backup, catalog, task)
    return await startAndLook(request, settings.verify.sql, context)
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError) || error.code === 'usage' || saysNothing(error)) throw error
    if (error.code === 'damaged') return refuted(backup, [error.message], context)
    if (error.hint !== undefined) context.progress.say(error.hint)
    return proofOf(backup.id, [findingOf(error, { database: null })], context)
  }
}

/** A run to the end of the backup's own WAL: what later backups have is not part of this one. */
async function requestFor(
  backup: LocalBackup,
  catalog: Catalog,
  { settings: { root, bin_dir, run }, context }: Task,
): Promise<RunRequest> {
  const installations = await allInstallations(bin_dir, context)
  const programs = await findServer(majorOf(recordOf(backup)), installations, false, context)
  const choice = {
    catalog,
    id: backup.id,
    target: { point: { kind: 'latest' as const } },
    installations,
    mayBeOpened: false,
    pool: walPool({ root, backups: [backup], rejected: [] }),
    caughtUp: () => undefined,
  }
  const { plan: recovery, backup: opened } = await chooseBackup(choice, context)
  checkNewTablespaces(recovery.newTablespaces, { mayWrite: false })
  checkConf(opened)
  return {
    ...{ backup: opened, root, programs, recovery, hasPort: false, port: undefined, database: undefined },
    workingCopy: run.working_copy,
    sandbox: run.sandbox,
    settings: settingTexts(run.settings),
  }
}

/**
 * The backup stays as it is. What this machine is to blame for (no working copy, no room, a locale that is missing) is unproven, and no
 * fault.
 * @param sql the user's own statements.
 */
async function startAndLook(
  request: RunRequest,
  sql: Settings['verify']['sql'],
  context: Context,
): Promise<Proof> {
  const { backup, programs } = request
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
    await run?.server.stop(context)
    if (run) await endRun(run.directory, context)
  }
  return {
    ...proofOf(backup.id, findings, context),
    postgres_version: programs.installations.find(({ bin }) => bin === programs.bin)?.version ?? '',
    ready_ms: readyMs,
    replay_ms: run?.replayMs ?? null,
  }
}

/** What was proven once is; what was found damaged still is when it could not even be started. */
function saysLess(proof: Proof, before: LocalBackup['proof']): boolean {
  if (resultOf(proof) !== 'unproven') return false
  const last = resultOf(before)
  return last === 'proven' || (last === 'failed' && proof.ready_ms === null)
}

function refuted({ id }: LocalBackup, faults: readonly string[], context: Context): Proof {
  return proofOf(
    id,
    faults.map((text) => damage({ database: null }, text)),
    context,
  )
}

/** The proof that these findings make, of a backup that was not started. */
function proofOf(id: string, findings: readonly Finding[], { now }: Pick<Context, 'now'>): Proof {
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
function saysNothing(error: PgbkError): boolean {
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
