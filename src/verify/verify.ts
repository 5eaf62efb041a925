import { existsSync, lstatSync } from 'node:fs'
import type { LocalBackup } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { isId } from '../catalog/id.js'
import { type BackupLayout, backupLayout, rootLayout } from '../catalog/layout.js'
import type { Proof } from '../catalog/proof.js'
import { selectBackup } from '../catalog/select.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { findInstallations } from '../postgres/programs/find.js'
import type { SandboxMode } from '../run/enclosure/start-enclosed.js'
import { prove, withSandbox } from '../run/proof/prove.js'
import { type CheckedBackup, unread, verifyBackup } from './verify-backup.js'

export interface VerifyOptions {
  all?: boolean
  /** Really start it, too. */
  prove?: boolean
  sandbox?: SandboxMode
}

/** A check, and the proof that was made after it. */
export interface Verified extends CheckedBackup {
  proof?: Proof
}

export interface VerifyResult {
  root: string
  checks: Verified[]
}

/**
 * Checks one backup, or all of the root, and returns what was found; a proof is kept beside it, nothing else is written. With `all`,
 * what is removed meanwhile is left out.
 * @throws {PgbkError} `not-found`.
 */
export async function verify(
  id: string | undefined,
  { all, prove: toProve, sandbox }: VerifyOptions,
  settings: Settings,
  context: Context,
): Promise<VerifyResult> {
  const { root } = settings
  const catalog = readCatalog(root)
  const broken = brokenRecords(catalog).filter(({ name }) => all || name === id)
  const chosen = all ? catalog.backups : broken.length > 0 ? [] : [choose(catalog, id, context)]
  const checks: Verified[] = broken.map(({ name, reason }) => ({
    id: name,
    ...unread({ file: 'backup.json', problem: reason }),
    duration_ms: 0,
  }))
  const installations = chosen.length > 0 ? await findInstallations(settings.bin_dir, context) : []
  for (const backup of chosen) {
    const work = async () => {
      const check = await verifyBackup(backup, installations, context)
      checks.push(
        toProve ? await proveToo(check, catalog, backup, withSandbox(settings, sandbox), context) : check,
      )
    }
    await (all ? orLeaveOut(work, context) : work())
  }
  if (checks.length === 0)
    throw new PgbkError('not-found', `there is no backup in ${root}`, {
      hint: `Make the first one, or name the right root with -C:\n  ${context.pgbk('create')}`,
    })
  return { root, checks: checks.sort((a, b) => (a.id < b.id ? 1 : -1)) }
}

/** Of all backups of a root, one that a prune removes meanwhile is none. */
async function orLeaveOut(work: () => Promise<void>, { progress }: Context): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'not-found') throw error
    progress.say(error.message)
  }
}

/** What the proof finds is a fault like others. */
async function proveToo(
  check: CheckedBackup,
  catalog: Catalog,
  backup: LocalBackup,
  settings: Settings,
  context: Context,
): Promise<Verified> {
  const known = check.faults.map(({ file, problem }) => `${file}: ${problem}`)
  const proof = await prove(catalog, backup, known, settings, context)
  const found = known.length > 0 ? [] : proof.faults.map((problem) => ({ file: 'proof', problem }))
  return { ...check, faults: [...check.faults, ...found], proof }
}

function choose(catalog: Catalog, id: string | undefined, context: Context): LocalBackup {
  return selectBackup(catalog, id ?? 'latest', context)
}

/** Directories that were backups, as their names tell, and are none for want of a good record; not the remains of a delete. */
function brokenRecords({ root, rejected }: Catalog): Catalog['rejected'] {
  const { backup } = rootLayout(root)
  return rejected.filter(({ name }) => isId(name) && !isOfDelete(backupLayout(backup(name))))
}

/** Also one that has come to its end since the catalogue was read. */
function isOfDelete({ directory, marker }: BackupLayout): boolean {
  return existsSync(marker) || lstatSync(directory, { throwIfNoEntry: false }) === undefined
}
