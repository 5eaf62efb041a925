import { type Proof, proofFormat } from '../backup/proof.js'
import type { Config } from '../config/schema.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { type CheckRequest, checkContents } from './check-contents.js'
import { endRun } from './end-run.js'
import { endedByAnother, tellsOfAnother } from './ended-by-another.js'
import type { RunRequest } from './run-request.js'
import { type Run, type Stage, startRun } from './start-run.js'

export interface ProofRequest extends RunRequest {
  /** The user's own statements. */
  sql: Config['verify']['sql']
}

/**
 * Really starts a backup on a working copy, replays its WAL, and looks into every database. The backup stays as it is.
 * @throws {PgbkError} when nothing can be said of the backup, for the fault is this machine's: no working copy, no room, a locale
 * that is missing, a run that was ended by another pgbk; the signal's reason when aborted.
 */
export async function proveBackup(request: ProofRequest, context: Context): Promise<Proof> {
  const { backup, programs, sql } = request
  const startedAt = context.now().getTime()
  let run: Run | undefined
  let stage: Stage | undefined
  const faults: string[] = []
  let readyMs: number | null = null
  context.progress.step(`proving ${backup.id}: starting it`)
  try {
    run = await startRun(request, context, (reached) => {
      stage = reached
    })
    readyMs = context.now().getTime() - startedAt
    const contents: CheckRequest = { record: backup.record, programs, run, sql }
    faults.push(...(await unlessEnded(run, () => checkContents(contents, context))))
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError) || !stage || isOfThisMachine(error, stage)) throw error
    faults.push(`it does not start: ${error.message}${lastOf(error.hint)}`)
  } finally {
    if (run) await stopRun(run, context)
  }
  return {
    format: proofFormat,
    backup: backup.id,
    finished_at: context.now().toISOString(),
    ok: faults.length === 0,
    faults,
    postgres_version: programs.installations.find(({ bin }) => bin === programs.bin)?.version ?? '',
    ready_ms: readyMs,
    replay_ms: run?.replayMs ?? null,
  }
}

/** What fails in a run that somebody else ends says nothing about its backup. */
async function unlessEnded({ directory }: Run, look: () => Promise<string[]>): Promise<string[]> {
  const faults = await look().catch((error) => {
    throw endedByAnother(directory, error) ?? error
  })
  const ended = faults.length > 0 ? endedByAnother(directory) : undefined
  if (ended) throw ended
  return faults
}

/**
 * Full disks, missing locales and the like say nothing about a backup. Once a session was open, what the server says may be the data's
 * own words.
 */
function isOfThisMachine(error: PgbkError, stage: Stage): boolean {
  const { code, message, hint = '' } = error
  if (code === 'disk-full' || code === 'programs-missing' || tellsOfAnother(error)) return true
  return stage === 'launched' && notOfTheBackup.test(`${message}\n${withoutChatter(hint)}`)
}

const notOfTheBackup =
  /No space left|locale|out of memory|Cannot allocate memory|Read-only file system|Permission denied|could not create lock file|Address already in use|Too many open files|another server answers|belongs to another user/i

/** A log without what only accompanies a failure: warnings, for one, quote settings of a database, whose values are its owner's. */
function withoutChatter(log: string): string {
  return log
    .split('\n')
    .filter((line) => !/^\t|\] (?:WARNING|NOTICE|INFO|DETAIL|HINT|CONTEXT|QUERY|STATEMENT): {2}/.test(line))
    .join('\n')
}

/** What the server said last. */
function lastOf(hint: string | undefined): string {
  const last = hint?.trim().split('\n').at(-1)
  return last ? ` (${last})` : ''
}

async function stopRun({ server, directory }: Run, context: Context): Promise<void> {
  await server.stop(context)
  await endRun(directory, context)
}
