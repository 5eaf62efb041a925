import { rootLayout } from '../backup/layout.js'
import { unlessRemoved } from '../backup/removed.js'
import { noteRestore } from '../backup/restore-note.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { wantedOf } from '../source/fetch-files.js'
import { openSource } from '../source/open-source.js'
import { archiveToOutput } from '../source/write-archive.js'
import type { DirectoryOfAnother } from './enter-directory.js'
import { planRestore, type RestoreOptions, type RestorePlan } from './plan-restore.js'
import type { RestoreResult } from './restore.js'

/** What the process of the other user has to know, before the backup itself comes: one line of JSON. */
export interface Handover {
  id: string
  /** The text of `backup.json`. */
  record: string
  options: RestoreOptions
}

/** The exit status of that process when the backup did not come whole: whoever sends it says why. */
export const notSent = 75

/**
 * Restores into a directory of another user: this process reads the backup, as its owner, and that user's process gets it as a tar and
 * does the rest.
 * @returns the exit status of that process, which has told the result; for a dry run, the plan.
 */
export async function restoreForAnother(
  other: DirectoryOfAnother,
  id: string | undefined,
  options: RestoreOptions,
  settings: Settings,
  context: Context,
  announce: (plan: RestorePlan) => void,
): Promise<number | RestoreResult> {
  try {
    const plan = await planRestore(
      id,
      { ...options, pgdata: other.data, isOfAnother: true },
      settings,
      context,
    )
    handOver(other, plan, options)
    if ((await other.firstLine()) !== 'ready') return await other.ended
    if (options.dryRun) return { plan, dryRun: true, notes: [] }
    announce(plan)
    return await sendAll(other, plan, settings, context)
  } finally {
    other.input.end()
    await other.ended
  }
}

function handOver(
  other: DirectoryOfAnother,
  { backup, recovery }: RestorePlan,
  options: RestoreOptions,
): void {
  const { moment } = recovery.wish
  // A relative time means another moment a minute later.
  const time = moment.kind === 'time' ? { toTime: moment.time } : {}
  const handover: Handover = {
    id: backup.id,
    record: JSON.stringify(backup.raw),
    options: { ...options, pgdata: other.data, ...time },
  }
  other.input.write(`${JSON.stringify(handover)}\n`)
}

/** Where that process has ended first, it has told why. */
async function sendAll(
  other: DirectoryOfAnother,
  plan: RestorePlan,
  settings: Settings,
  context: Context,
): Promise<number> {
  try {
    await send(other, plan, settings, context)
  } catch (error) {
    other.input.end()
    if ((await other.ended) === notSent) throw error
  }
  other.input.end()
  return other.ended
}

/** Nobody may remove the backup meanwhile. */
async function send(
  { input, data }: DirectoryOfAnother,
  { backup }: RestorePlan,
  { root }: Settings,
  context: Context,
): Promise<void> {
  const takeBack = noteRestore(rootLayout(root), backup.id, data)
  try {
    await unlessRemoved(backup, context, async () => {
      const source = await openSource(root, context)
      const listing = wantedOf(await source.listing(backup), backup, { noWal: false })
      await archiveToOutput({ source, backup, listing, compression: 'none' }, { ...context, stdout: input })
    })
  } finally {
    takeBack()
  }
}
