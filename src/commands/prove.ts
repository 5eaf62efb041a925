import type { Backup, Catalog } from '../backup/catalog.js'
import { checkConf } from '../backup/check-conf.js'
import { type Proof, proofFormat, writeProof } from '../backup/proof.js'
import { majorOf } from '../backup/record.js'
import { checkThere, unlessRemoved } from '../backup/removed.js'
import { walPool } from '../backup/wal-pool.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { chooseBackup } from '../postgres/choose-backup.js'
import { allInstallations, findServer } from '../postgres/find-server.js'
import { checkNewTablespaces } from '../postgres/new-tablespaces.js'
import { proveBackup } from '../run/prove-backup.js'
import { settingTexts } from '../run/run-request.js'
import type { SandboxWish } from '../run/start-enclosed.js'
import { sweepRuns } from '../run/sweep-runs.js'

/**
 * Really starts a backup, replays its WAL to the end, looks into every database, and keeps what was found as its proof.
 * @param known faults that a check of its files has found: with those there is nothing to start.
 * @throws {PgbkError} when this machine cannot say anything of the backup: then its last proof stays; `not-found` when it is
 * removed meanwhile.
 */
export async function prove(
  catalog: Catalog,
  backup: Backup,
  known: string[],
  settings: Settings,
  context: Context,
): Promise<Proof> {
  return unlessRemoved(backup, context, async () => {
    const proof =
      known.length > 0 ? refuted(backup, known, context) : await tryOut(catalog, backup, settings, context)
    // In a directory that is being removed it would stay behind.
    checkThere(backup)
    await writeProof(backup.layout, proof)
    return proof
  })
}

/** The settings with another wish for the sandbox, where there is one. */
export function withSandbox(settings: Settings, sandbox: SandboxWish | undefined): Settings {
  return sandbox === undefined ? settings : { ...settings, run: { ...settings.run, sandbox } }
}

async function tryOut(
  catalog: Catalog,
  backup: Backup,
  settings: Settings,
  context: Context,
): Promise<Proof> {
  const { root, bin_dir, run, verify } = settings
  await sweepRuns(root, context)
  const installations = await allInstallations(bin_dir, context)
  const programs = await findServer(majorOf(backup.record), installations, false, context)
  const wish = { moment: { kind: 'latest' as const } }
  const choice = {
    catalog,
    id: backup.id,
    wish,
    installations,
    mayBeUsed: false,
    // What later backups have is no part of this one.
    pool: walPool({ root, backups: [backup], rejected: [] }),
    caughtUp: () => undefined,
  }
  try {
    const { plan: recovery } = await chooseBackup(choice, context)
    checkNewTablespaces(recovery.newTablespaces, { mayWrite: false })
    checkConf(backup)
    const workingCopy = run.working_copy
    const { sandbox } = run
    const own = { backup, root, programs, workingCopy, sandbox, hasPort: false, recovery, sql: verify.sql }
    const settingsOfRun = settingTexts(run.settings)
    return await proveBackup(
      { ...own, settings: settingsOfRun, port: undefined, database: undefined },
      context,
    )
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged')
      return refuted(backup, [error.message], context)
    throw error
  }
}

function refuted({ id }: Backup, faults: string[], { now }: Context): Proof {
  return {
    format: proofFormat,
    backup: id,
    finished_at: now().toISOString(),
    ok: false,
    faults,
    postgres_version: '',
    ready_ms: null,
    replay_ms: null,
  }
}
