import { existsSync, lstatSync } from 'node:fs'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { isId } from '../catalog/id.js'
import { type BackupFiles, rootLayout } from '../catalog/layout.js'
import type { Proof } from '../catalog/proof.js'
import { checkStillThere, unlessRemoved } from '../catalog/removed-meanwhile.js'
import { selectBackup } from '../catalog/select.js'
import type { Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { PgbkError } from '../errors.js'
import { findInstallations, type Installation } from '../postgres/programs/find.js'
import type { SandboxMode } from '../run/enclosure/start-enclosed.js'
import { prove, withSandbox } from '../run/proof/prove.js'
import { type FoundFaults, lookAt, unread } from './look-at.js'
import { NotOpened } from './open-image.js'

export interface VerifyOptions {
  all?: boolean
  /** Really start it, too. */
  prove?: boolean
  sandbox?: SandboxMode
}

/** What a check of one backup has found. */
export interface Verified extends FoundFaults {
  id: string
  duration_ms: number
  /** That was made after it. */
  proof?: Proof
}

export interface VerifyResult {
  root: string
  checks: Verified[]
  /** Packed ones whose image is as it was made, and whose contents could not be looked at here: of all backups alone. */
  leftOut: { id: string; reason: string }[]
}

/**
 * Checks one backup, or all of the root, and returns what was found; a proof is kept beside it, nothing else is written. With `all`,
 * what is removed meanwhile is left out, and an image that cannot be mounted here is warned of.
 * @throws {PgbkError} `not-found`; `programs-missing` without a pg_verifybackup that knows this major.
 */
export async function verify(
  id: string | undefined,
  { all, prove: toProve, sandbox }: VerifyOptions,
  task: Task,
): Promise<VerifyResult> {
  const { settings, context } = task
  const { root } = settings
  const catalog = readCatalog(root)
  const broken = brokenRecords(catalog).filter(({ name }) => all || name === id)
  const one = () => [selectBackup(catalog, id ?? 'latest', context)]
  const chosen = all ? catalog.backups : broken.length > 0 ? [] : one()
  const checks: Verified[] = broken.map(({ name, reason }) => ({
    id: name,
    ...unread({ file: 'backup.json', problem: reason }),
    duration_ms: 0,
  }))
  const leftOut: VerifyResult['leftOut'] = []
  const installations = chosen.length > 0 ? await findInstallations(settings.bin_dir, context) : []
  for (const backup of chosen) {
    try {
      checks.push(
        await withEnds(context, async (own) => {
          const check = await verifyBackup(backup, catalog, installations, own)
          if (!toProve) return check
          return proveToo(check, backup, catalog, withSandbox({ settings, context: own }, sandbox))
        }),
      )
    } catch (error) {
      if (!all) throw error
      const reason = leaveOut(error, backup, context)
      if (reason !== undefined) leftOut.push({ id: backup.id, reason })
    }
  }
  if (checks.length + leftOut.length === 0)
    throw new PgbkError('not-found', `there is no backup in ${root}`, {
      hint: `Make the first one, or name the right root with -C:\n  ${context.pgbk('create')}`,
    })
  return { root, checks: checks.sort((a, b) => (a.id < b.id ? 1 : -1)), leftOut }
}

/** Says why one of all backups is left out. @returns the same, where it is there all the same. @throws what is no reason for that. */
function leaveOut(error: unknown, { id }: LocalBackup, { progress }: Context): string | undefined {
  if (error instanceof NotOpened) {
    progress.warn(`${id}: its SHA-256 is right, its contents were not looked at: ${error.message}`)
    return error.message
  }
  // One that a prune removes meanwhile is none.
  if (!(error instanceof PgbkError) || error.code !== 'not-found') throw error
  progress.say(error.message)
  return undefined
}

async function verifyBackup(
  backup: LocalBackup,
  catalog: Catalog,
  installations: Installation[],
  context: Context,
): Promise<Verified> {
  const startedAt = context.now().getTime()
  const found = await unlessRemoved(backup, context, () => lookAt(backup, catalog, installations, context))
  checkStillThere(backup)
  return { id: backup.id, ...found, duration_ms: Math.max(0, context.now().getTime() - startedAt) }
}

/** What the proof finds is a fault like others. */
async function proveToo(
  check: Verified,
  backup: LocalBackup,
  catalog: Catalog,
  task: Task,
): Promise<Verified> {
  const known = check.faults.map(({ file, problem }) => `${file}: ${problem}`)
  const proof = await prove(backup, catalog, known, task)
  const found = known.length > 0 ? [] : proof.faults.map((problem) => ({ file: 'proof', problem }))
  return { ...check, faults: [...check.faults, ...found], proof }
}

/** Directories that were backups, as their names tell, and are none for want of a good record; not the remains of a delete. */
function brokenRecords({ root, rejected }: Catalog): Catalog['rejected'] {
  const { backup } = rootLayout(root)
  return rejected.filter(({ name }) => isId(name) && !isOfDelete(layoutOf({ directory: backup(name) })))
}

/** Also one that has come to its end since the catalogue was read. */
function isOfDelete({ directory, marker }: BackupFiles): boolean {
  return existsSync(marker) || lstatSync(directory, { throwIfNoEntry: false }) === undefined
}
