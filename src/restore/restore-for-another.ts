import { rootLayout } from '../catalog/layout.js'
import { unlessRemoved } from '../catalog/removed-meanwhile.js'
import { noteRestore } from '../catalog/restore-note.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { type Listing, wantedOf } from '../place/contract/listing.js'
import { openPlace } from '../place/open-place.js'
import { archiveToOutput } from '../place/tar-archive/write-archive.js'
import { furtherBackups } from '../recovery/recovery-plan.js'
import { v } from '../schema.js'
import { isText, shownPath } from '../system/paths/byte-path.js'
import { bringTogether } from '../wal-coverage/move-wal.js'
import type { DirectoryOfAnother } from './enter-directory.js'
import type { RestoreResult } from './finish-directory.js'
import { planRestore, type RestoreOptions, type RestorePlan } from './plan-restore.js'

/** What the process of the other user has to know of the backup, before that itself comes: one line of JSON. */
export const handoverSchema = v.object({
  id: v.string(),
  /** The text of `backup.json`. */
  record: v.string(),
  /** The time that was asked for: a relative one means another moment a minute later. */
  toTime: v.exactOptional(v.string()),
})

type Handover = v.InferOutput<typeof handoverSchema>

/** The exit status of that process when the backup did not come whole: whoever sends it says why. */
export const notSent = 75

interface WantedRestore {
  id: string | undefined
  options: RestoreOptions
  /** Is told the plan before anything is written. */
  announce: (plan: RestorePlan) => void
}

/**
 * Restores into a directory of another user: this process reads the backup, as its owner, and that user's process gets it as a tar and
 * does the rest.
 * @returns the exit status of that process, which has told the result; for a dry run, the plan.
 */
export async function restoreForAnother(
  other: DirectoryOfAnother,
  { id, options, announce }: WantedRestore,
  task: Task,
): Promise<number | RestoreResult> {
  const status = statusOf(other, task.context)
  try {
    const wanted = { ...options, pgdata: other.data, isOfAnother: true }
    const plan = await planRestore(id, wanted, task)
    other.input.write(`${JSON.stringify(handoverOf(plan))}\n`)
    if ((await Promise.race([other.firstLine(), status])) !== 'ready') return await status
    if (options.dryRun) return { plan, dryRun: true, notes: [] }
    announce(plan)
    return await sendAll(other, status, plan, task)
  } finally {
    other.input.end()
    await status.catch(() => {})
  }
}

function handoverOf({ backup, recovery }: RestorePlan): Handover {
  const { point } = recovery.target
  const time = point.kind === 'time' ? { toTime: point.time } : {}
  return { id: backup.id, record: JSON.stringify(backup.raw), ...time }
}

/** For so long an interrupted process may clean up. */
const graceMs = 30_000

/**
 * How the other process ends. It cleans up by itself when its input ends.
 * @throws {PgbkError} `failed` when a signal has ended it; the signal's reason when aborted, and it does not end.
 */
async function statusOf({ ended, input }: DirectoryOfAnother, { signal, urgent }: Context): Promise<number> {
  const giveUp = new Promise<'late'>((resolve) => {
    const end = () => {
      input.destroy()
      setTimeout(() => resolve('late'), graceMs).unref()
    }
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
    urgent.addEventListener('abort', () => resolve('late'))
  })
  const status = await Promise.race([ended, giveUp])
  if (status === 'late') signal.throwIfAborted()
  if (typeof status === 'number') return status
  throw new PgbkError('failed', 'the process that fills the directory was ended by a signal', {
    hint: 'What is there is marked as the remains of a restore; the next one into it removes them.',
  })
}

/** Where that process has ended first, it has told why. */
async function sendAll(
  other: DirectoryOfAnother,
  status: Promise<number>,
  plan: RestorePlan,
  task: Task,
): Promise<number> {
  try {
    await send(other, plan, task)
  } catch (error) {
    other.input.end()
    if ((await status) === notSent) throw error
    task.context.signal.throwIfAborted()
  }
  other.input.end()
  const end = await status
  if (end !== notSent) return end
  throw new PgbkError('failed', 'the process that fills the directory did not get the whole backup')
}

/** Nobody may remove the backup meanwhile. */
async function send(
  { input, data }: DirectoryOfAnother,
  { backup, recovery }: RestorePlan,
  { settings: { root }, context }: Task,
): Promise<void> {
  const takeBack = await noteRestore(rootLayout(root), backup.id, data, furtherBackups(recovery))
  try {
    await unlessRemoved(backup, context, async () => {
      if (recovery.archive && recovery.recovery)
        await bringTogether(backup, recovery.archive, recovery.recovery.lastSegment)
      const source = await openPlace(root, context, { stores: {} })
      const listing = wantedOf(await source.files(backup), backup, { noWal: false })
      checkTexts(listing)
      await archiveToOutput({ source, backup, listing, compression: 'none' }, { ...context, stdout: input })
    })
  } finally {
    await takeBack()
  }
}

/** What unpacks the tar there would replace the bytes of other names. */
function checkTexts({ directories, files }: Listing): void {
  const odd = [...directories, ...files].find((name) => !isText(name))
  if (odd === undefined) return
  throw new PgbkError(
    'failed',
    `the name of a file of the backup is not UTF-8: ${JSON.stringify(shownPath(odd))}`,
    { hint: 'Restore it as the user whom the backups belong to, and chown the directory.' },
  )
}
