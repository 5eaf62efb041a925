import type { StoredBackup } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { isId } from '../catalog/id.js'
import { selectBackup } from '../catalog/select.js'
import { resolveSource, sourceName } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { factsOf, messageOf, PgbkError } from '../errors.js'
import { openPlace } from '../place/open-place.js'
import { shellWord } from '../text/shell-word.js'
import { unread } from './look-at.js'
import { type Looker, lookerIn } from './look-elsewhere.js'
import type { Verified, VerifyOptions, VerifyResult } from './verify.js'

export interface VerifyElsewhereOptions extends VerifyOptions {
  /** The place. */
  from?: string | true
  /** Read all bytes. */
  read?: boolean
}

/**
 * Compares what a place says of the files of its packed backups with their records, by names and sizes; with `read`, reads all of them. Of
 * an encrypted one, without a key, the files are compared as they lie. With `all`, what is removed meanwhile is left out, and what cannot be
 * looked at from here is warned of.
 * @throws {PgbkError} as `openPlace` and `selectBackup`; `failed` for one that is plain, and where of all none could be looked at.
 */
export async function verifyElsewhere(
  id: string | undefined,
  { all, read = false, from }: VerifyElsewhereOptions,
  task: Task,
): Promise<VerifyResult> {
  const { settings, context } = task
  const name = resolveSource(sourceName(from, settings), context.cwd, settings.stores)
  return withEnds(context, async (own) => {
    const place = await openPlace(name, own, { ...settings, isHeld: true })
    const catalog = await place.list()
    const look = await lookerIn(name, place, catalog.backups, { settings, context: own })
    const check = (backup: StoredBackup) => verifyThere(backup, { name, look, read }, own)
    if (all) return verifyAll(name, catalog, check, own)
    const broken = brokenRecords(catalog).find((one) => one.name === id)
    const checked = broken
      ? unreadRecord(broken)
      : await check(selectBackup(catalog, id ?? 'latest', own, name))
    return { root: name, checks: [checked], leftOut: [] }
  })
}

async function verifyAll(
  name: string,
  catalog: Catalog<StoredBackup>,
  check: (backup: StoredBackup) => Promise<Verified>,
  context: Context,
): Promise<VerifyResult> {
  const checks = brokenRecords(catalog).map(unreadRecord)
  const leftOut: VerifyResult['leftOut'] = []
  for (const backup of catalog.backups) {
    const found = await check(backup).catch((error) => leaveOut(error, backup, context))
    if (typeof found === 'string') leftOut.push({ id: backup.id, reason: found })
    else if (found) checks.push(found)
  }
  if (checks.length === 0) throw noneLookedAt(name, leftOut)
  return { root: name, checks: checks.sort((a, b) => (a.id < b.id ? 1 : -1)), leftOut }
}

async function verifyThere(
  backup: StoredBackup,
  { name, look, read }: { name: string; look: Looker; read: boolean },
  context: Context,
): Promise<Verified> {
  if (backup.form === 'plain') throw plainElsewhere(backup, name, context)
  const startedAt = context.now().getTime()
  context.progress.step(`verifying ${backup.id}`)
  const found = await withEnds(context, (own) => look(backup, read, own))
  const duration_ms = Math.max(0, context.now().getTime() - startedAt)
  return { id: backup.id, ...found, pg_verifybackup: null, duration_ms }
}

function unreadRecord({ name, reason }: Catalog['rejected'][number]): Verified {
  return { id: name, ...unread({ file: 'backup.json', problem: reason }), duration_ms: 0 }
}

/** Says why one of all backups is left out. @returns the same, where it is there all the same. @throws what is no reason for that. */
function leaveOut(error: unknown, { id, form }: StoredBackup, { progress }: Context): string | undefined {
  if (form === 'plain' || factsOf(error).kind === 'no-identity') {
    const message = messageOf(error)
    progress.warn(`${id} was not looked at: ${message}`)
    return message
  }
  if (!(error instanceof PgbkError) || error.code !== 'not-found') throw error
  progress.say(error.message)
  return undefined
}

/** What was a backup, as its name tells, and is none for want of a good record; without any, it is being sent, or removed. */
function brokenRecords({ rejected }: Catalog<StoredBackup>): Catalog['rejected'] {
  return rejected.filter(({ name, hasNoRecord }) => isId(name) && !hasNoRecord)
}

function noneLookedAt(name: string, [first]: VerifyResult['leftOut']): PgbkError {
  if (first)
    return new PgbkError('failed', `no backup in ${name} could be verified from here: ${first.reason}`)
  return new PgbkError('not-found', `there is no backup in ${name}`, {
    hint: 'Is it the right place? Where there were some, somebody has removed them.',
  })
}

function plainElsewhere({ id }: StoredBackup, name: string, { pgbk }: Context): PgbkError {
  return new PgbkError(
    'failed',
    `backup ${id} in ${name} is plain: only packed ones are verified from elsewhere`,
    {
      hint: `Verify it there (pgbk verify), or bring it here, which verifies it:\n  ${pgbk(`download ${id} --from ${shellWord(name)}`)}`,
    },
  )
}
