import { existsSync, mkdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, layoutOf, recordOf, storedBackup } from '../catalog/backup.js'
import { isId } from '../catalog/id.js'
import { rootLayout } from '../catalog/layout.js'
import { summarize } from '../catalog/record.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { unpackReceived } from '../forms/unpack-received.js'
import { readFirstLine, unpackArchive } from '../place/tar-archive/unpack-archive.js'
import { dropPrivilegesTo } from '../privileges/drop-privileges.js'
import { checkJson } from '../schema.js'
import { checkSpace, roomNeeds } from './copy/check-room.js'
import { checkClaimable } from './directory/claimed-directory.js'
import {
  type DirectoryRequest,
  directoryPlaces,
  tablespacePlaces,
  topsOf,
} from './directory/plan-directory.js'
import { restoreDirectory } from './directory/restore-directory.js'
import type { RestoreErrand } from './enter-directory.js'
import { finishDirectory, type RestoreResult } from './finish-directory.js'
import { planRestore, type RestoreOptions } from './plan-restore.js'
import { handoverSchema, notSent } from './restore-for-another.js'

/**
 * The part of `restoreForAnother` that the directory's own user does: what comes on standard input is unpacked in the directory, and
 * its files moved to where they belong.
 * @returns the result; or the exit status where there is none, because the plan was all that was wanted, or the backup did not come.
 */
export async function restoreReceived(
  { uid, options }: RestoreErrand,
  task: Task,
): Promise<RestoreResult | number> {
  const { context } = task
  dropPrivilegesTo(uid, context)
  try {
    return await receiveAndRestore(options, task)
  } finally {
    // The sender would wait for the end of a process that waits for the end of its input.
    context.stdin.destroy()
  }
}

async function receiveAndRestore(
  wanted: RestoreOptions,
  { settings, context }: Task,
): Promise<RestoreResult | number> {
  const line = await readFirstLine(context.stdin, context.signal)
  if (line === undefined) return notSent
  const { value: sent, faults } = checkJson(handoverSchema, line)
  if (faults) throw new PgbkError('damaged', `what was sent is not understood: ${faults.join('; ')}`)
  const { id, record, ...target } = sent
  if (!isId(id)) throw new PgbkError('damaged', `${JSON.stringify(id)} is no id of a backup`)
  const options = { ...wanted, ...target }
  const { pgdata: data = '', tablespaceMapping = [] } = options
  const staging = join(data, '.pgbk-received')
  const place = rootLayout(staging).backup(id)
  const backup = { ...storedBackup(summarize(record), 'whole'), directory: place }
  const tablespaces = tablespacePlaces(backup, data, tablespaceMapping)
  const tops = topsOf(data, tablespaces)
  const given = options.dryRun ? (options.willBeGiven ?? []) : []
  for (const directory of tops.filter((one) => !given.includes(one))) checkClaimable(directory, context)
  checkSpace(await roomNeeds(directoryPlaces(recordOf(backup), { data, tablespaces })))
  writeSync(readyDescriptor, 'ready\n')
  if (options.dryRun) return 0
  const prepare = async () => {
    await receive(backup, staging, context)
    const plan = await planRestore(
      id,
      { ...options, isOfAnother: true },
      { settings: { ...settings, root: staging }, context: withoutWarnings(context) },
    )
    return { ...(plan.destination.request as DirectoryRequest), staging, plan }
  }
  try {
    const { request, notes } = await restoreDirectory(tops, prepare, context)
    return await finishDirectory(request.plan, request, notes, context)
  } catch (error) {
    if (error instanceof NotSent) return notSent
    throw error
  }
}

/** The sender waits for a line there. */
const readyDescriptor = 3

class NotSent extends PgbkError {
  constructor(cause?: unknown) {
    super('failed', 'the backup did not come whole', { cause })
  }
}

/** The record comes last. What is packed is unpacked there: nobody needs its image. */
async function receive(backup: LocalBackup, staging: string, context: Context): Promise<void> {
  context.progress.step('taking the backup over')
  mkdirSync(staging)
  const cutOff = await unpackArchive(context.stdin, staging, context.signal)
  if (!existsSync(layoutOf(backup).record)) throw new NotSent(cutOff)
  if (backup.form === 'plain') return
  context.progress.step('unpacking')
  await unpackReceived(backup, context)
}

/** They were told with the plan. */
function withoutWarnings(context: Context): Context {
  const silent = () => {}
  return { ...context, progress: { ...context.progress, warn: silent, say: silent } }
}
