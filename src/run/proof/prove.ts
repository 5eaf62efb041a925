import { type LocalBackup, layoutOf, recordOf, type StoredBackup } from '../../catalog/backup.js'
import type { Catalog } from '../../catalog/catalog.js'
import { type Proof, resultOf, writeProof } from '../../catalog/proof.js'
import { majorOf } from '../../catalog/record.js'
import { checkThere, unlessRemoved } from '../../catalog/removed.js'
import type { Settings } from '../../config/load.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { allInstallations, findServer } from '../../postgres/programs/find-server.js'
import { chooseBackup } from '../../recovery/choose-backup.js'
import { checkNewTablespaces } from '../../recovery/new-tablespaces.js'
import { checkConf } from '../../snapshot/conf/check-conf.js'
import { walPool } from '../../wal-archive/wal-pool.js'
import { sweepRuns } from '../directory/sweep-runs.js'
import type { SandboxMode } from '../enclosure/start-enclosed.js'
import { settingTexts } from '../run-request.js'
import { damage, findingOf } from './finding.js'
import { proofOf, proveBackup, saysNothing } from './prove-backup.js'

/**
 * Really starts a backup, replays its WAL to the end, looks into every database, and keeps what was found as its proof; one that
 * says less than the last does not take its place.
 * @param known faults that a check of its files has found: with those there is nothing to start.
 * @throws {PgbkError} when another pgbk has ended its run, or the command is wrong; `not-found` when it is removed meanwhile.
 */
export async function prove(
  catalog: Catalog,
  backup: LocalBackup,
  known: string[],
  settings: Settings,
  context: Context,
): Promise<Proof> {
  return unlessRemoved(backup, context, async () => {
    const proof =
      known.length > 0 ? refuted(backup, known, context) : await tryOut(catalog, backup, settings, context)
    // In a directory that is being removed it would stay behind.
    checkThere(backup)
    if (saysLess(proof, backup.proof)) context.progress.say(`the last proof of ${backup.id} stays`)
    else await writeProof(layoutOf(backup), proof)
    return proof
  })
}

/** What was proven once is; what was found damaged still is when it could not even be started. */
function saysLess(proof: Proof, before: StoredBackup['proof']): boolean {
  if (resultOf(proof) !== 'unproven') return false
  const last = resultOf(before)
  return last === 'proven' || (last === 'failed' && proof.ready_ms === null)
}

/** The settings with another mode of the sandbox, where there is one. */
export function withSandbox(settings: Settings, sandbox: SandboxMode | undefined): Settings {
  return sandbox === undefined ? settings : { ...settings, run: { ...settings.run, sandbox } }
}

async function tryOut(
  catalog: Catalog,
  backup: LocalBackup,
  settings: Settings,
  context: Context,
): Promise<Proof> {
  await sweepRuns(settings.root, context)
  try {
    return await startAndLook(catalog, backup, settings, context)
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError) || error.code === 'usage' || saysNothing(error)) throw error
    if (error.code === 'damaged') return refuted(backup, [error.message], context)
    if (error.hint !== undefined) context.progress.say(error.hint)
    return proofOf(backup.id, [findingOf(error, { database: null })], context)
  }
}

async function startAndLook(
  catalog: Catalog,
  backup: LocalBackup,
  { root, bin_dir, run, verify }: Settings,
  context: Context,
): Promise<Proof> {
  const installations = await allInstallations(bin_dir, context)
  const programs = await findServer(majorOf(recordOf(backup)), installations, false, context)
  const target = { point: { kind: 'latest' as const } }
  const choice = {
    catalog,
    id: backup.id,
    target,
    installations,
    mayBeUsed: false,
    // What later backups have is not part of this one.
    pool: walPool({ root, backups: [backup], rejected: [] }),
    caughtUp: () => undefined,
  }
  const { plan: recovery } = await chooseBackup(choice, context)
  checkNewTablespaces(recovery.newTablespaces, { mayWrite: false })
  checkConf(backup)
  const workingCopy = run.working_copy
  const { sandbox } = run
  const own = { backup, root, programs, workingCopy, sandbox, hasPort: false, recovery, sql: verify.sql }
  const settings = settingTexts(run.settings)
  return proveBackup({ ...own, settings, port: undefined, database: undefined }, context)
}

function refuted({ id }: LocalBackup, faults: string[], context: Context): Proof {
  return proofOf(
    id,
    faults.map((text) => damage({ database: null }, text)),
    context,
  )
}
