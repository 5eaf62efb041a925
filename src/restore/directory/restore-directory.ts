import { mkdir, rm } from 'node:fs/promises'
import { recordOf } from '../../catalog/backup.js'
import { checkStillThere } from '../../catalog/removed-meanwhile.js'
import type { Context } from '../../context.js'
import { messageOf } from '../../errors.js'
import { recoverySettings } from '../../recovery/recovery-conf.js'
import { highestOf } from '../../snapshot/conf/minimums.js'
import { hasOrigins, withRoomForOrigins } from '../../start-up/copy-minimums.js'
import { copyArchive } from '../copy/copy-archive.js'
import { copyCluster, copyControlFile } from '../copy/copy-cluster.js'
import { claimDirectory, emptyAndRelease, releaseDirectory } from './claimed-directory.js'
import { type DirectoryRequest, isAtOrBelow } from './plan-directory.js'
import { type ProductionConf, writeProductionConf } from './production-directory.js'

/**
 * Fills the directories. Whatever goes wrong, the server in them cannot be started, and they are empty again in the end.
 * @param tops as `topsOf`.
 * @param prepare tells what they are filled with; called when they have been claimed.
 * @returns that, and what was changed in the configuration or is missing, in plain words.
 */
export async function restoreDirectory<T extends DirectoryRequest>(
  tops: string[],
  prepare: () => Promise<T>,
  context: Context,
): Promise<{ request: T; notes: string[] }> {
  const claimed: string[] = []
  try {
    for (const directory of tops) {
      await claimDirectory(directory, context)
      claimed.unshift(directory)
    }
    const request = await prepare()
    const notes = await fillData(request, context)
    context.signal.throwIfAborted()
    checkStillThere(request.backup)
    if (request.staging !== undefined) await rm(request.staging, { recursive: true })
    // The data directory last: its marker tells that nothing is finished yet.
    for (const directory of claimed) await releaseDirectory(directory)
    return { request, notes }
  } catch (error) {
    context.progress.step('cleaning up')
    for (const directory of claimed) await tryToGiveUp(directory, context)
    throw error
  }
}

async function fillData(request: DirectoryRequest, context: Context): Promise<string[]> {
  const { backup, data, tablespaces } = request
  for (const { directory } of tablespaces.filter(({ target }) => isAtOrBelow(target, data)))
    await mkdir(directory, { recursive: true })
  const move = request.staging !== undefined
  await copyCluster(backup, { data, tablespaces, move }, context)
  const notes = await writeConf(request, context)
  await copyControlFile(backup, data)
  return notes
}

async function writeConf(request: DirectoryRequest, { signal }: Context): Promise<string[]> {
  const { archive, recovery: plan } = request
  const notes = await writeProductionConf(productionConf(request, request.data))
  if (!plan.recovery || !plan.archive || archive === undefined) return notes
  await copyArchive(plan.archive, archive, { ...plan.recovery, signal })
  return [...notes, `${archive} holds the WAL for the first start; remove it when that is done`]
}

/**
 * What the configuration of a directory that is filled is made of.
 * @param source where its data is by now. Before it comes, the directory may be closed to who plans.
 */
export function productionConf(request: DirectoryRequest, source: string): ProductionConf {
  const { backup, archive, minimums, recovery: plan } = request
  // Its configuration files, which are used here, may have less than it was started with, and the WAL may bring more.
  const most = highestOf(minimums, plan.recovery?.minimums ?? {})
  const withRoom = withRoomForOrigins(most, recordOf(backup))
  const copied = archive === undefined ? {} : { archives: [{ directory: archive, from: 0n }] }
  const recovery = plan.recovery && recoverySettings({ ...plan.recovery, ...copied, minimums: withRoom })
  const brings = recovery !== undefined && hasOrigins(source)
  return { ...request, source, minimums: brings ? withRoom : most, recovery }
}

/** Its own failures must not hide why it came to this; the next restore into this directory takes it up again. */
async function tryToGiveUp(directory: string, { progress }: Context): Promise<void> {
  try {
    await emptyAndRelease(directory)
  } catch (error) {
    progress.warn(
      `${directory} could not be emptied, the next restore into it will try again: ${messageOf(error)}`,
    )
  }
}
