import { mkdirSync } from 'node:fs'
import { chown, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readArchivedWal } from '../backup/archived-wal.js'
import type { Backup } from '../backup/catalog.js'
import type { Owner } from '../backup/owner.js'
import { minimumsIn, type RecoveryInput, recoverySettings } from '../backup/recovery-conf.js'
import { checkThere } from '../backup/removed.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { claim, giveUp, handOver } from './claimed-directory.js'
import { copyArchive } from './copy-archive.js'
import { copyCluster, copyControlFile, copyFailed } from './copy-cluster.js'
import { type DirectoryRequest, inside, topsOf } from './plan-directory.js'
import { writeProductionConf } from './production-directory.js'

/**
 * Fills the directory. Whatever goes wrong, it cannot be started, and is empty again in the end.
 * @returns what was changed in the configuration or is missing, in plain words.
 */
export async function restoreDirectory(request: DirectoryRequest, context: Context): Promise<string[]> {
  const owner = becomeOwner(request, context)
  const tops = topsOf(request.data, request.tablespaces)
  const claimed: string[] = []
  try {
    for (const directory of tops) {
      await claim(directory, owner, context)
      claimed.unshift(directory)
    }
    const notes = await fill({ ...request, owner }, context)
    context.signal.throwIfAborted()
    checkThere(request.backup)
    // The data directory last: its marker tells that nothing is finished yet.
    for (const directory of claimed) await handOver(directory, owner)
    return notes
  } catch (error) {
    context.progress.step('cleaning up')
    for (const directory of claimed) await tryToGiveUp(directory, owner, context)
    throw error
  }
}

/**
 * Root works on as the owner, who may have put links where it would write; only a backup that the owner cannot read is copied
 * by root.
 * @returns whom the files are to belong to.
 */
function becomeOwner(
  { backup, owner, archive, data, tablespaces }: DirectoryRequest,
  context: Context,
): Owner {
  if (context.user().uid !== 0 || archive !== backup.layout.wal) return owner
  const make = () => {
    const tops = topsOf(data, tablespaces)
    for (const directory of tops) mkdirSync(directory, { recursive: true })
    return tops
  }
  try {
    context.become(owner.uid, { inside: backup.layout.directory, make })
  } catch (cause) {
    throw cause instanceof PgbkError ? cause : copyFailed(cause)
  }
  return { uid: owner.uid, gid: context.user().gid }
}

async function fill(request: DirectoryRequest, context: Context): Promise<string[]> {
  const { backup, data, owner, tablespaces } = request
  const inner = tablespaces.filter(({ target }) => inside(target, data))
  for (const { directory } of inner) await mkdir(directory, { recursive: true })
  await copyCluster(backup, { data, tablespaces }, owner, context)
  const parents = inner.length > 0 ? [dirname(inner[0]?.directory ?? '')] : []
  for (const directory of [...inner.map((place) => place.directory), ...parents])
    await chown(directory, owner.uid, owner.gid)
  const notes = await writeConf(request, context)
  await copyControlFile(backup, data, owner)
  return notes
}

async function writeConf(request: DirectoryRequest, { signal }: Context): Promise<string[]> {
  const { backup, archive, owner, recovery: plan } = request
  const recovery = plan.recovery && recoverySettings({ ...withOwnMinimums(plan.recovery, backup), archive })
  const notes = await writeProductionConf({ ...request, recovery })
  if (!plan.recovery || archive === backup.layout.wal) return notes
  const wal = readArchivedWal(backup.layout.wal, backup.record, plan.wish.timeline)
  await copyArchive(wal, archive, { ...plan.recovery, owner, signal })
  return [...notes, `${archive} holds the WAL for the first start; remove it when that is done`]
}

/** The server may have been started with more than its configuration files, which are used here, say. */
function withOwnMinimums(recovery: RecoveryInput, { layout }: Backup): RecoveryInput {
  return { ...recovery, minimums: { ...minimumsIn(layout.conf), ...recovery.minimums } }
}

/** Its own failures must not hide why it came to this; the next restore into this directory takes it up again. */
async function tryToGiveUp(directory: string, owner: Owner, { progress }: Context): Promise<void> {
  try {
    await giveUp(directory, owner)
  } catch (error) {
    progress.warn(
      `${directory} could not be emptied, the next restore into it will try again: ${messageOf(error)}`,
    )
  }
}
