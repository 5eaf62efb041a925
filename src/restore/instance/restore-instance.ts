import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ReadableBackup, recordOf } from '../../catalog/backup.js'
import { type InstanceLayout, instanceLayout, rootLayout } from '../../catalog/layout.js'
import { majorOf } from '../../catalog/record.js'
import { checkStillThere } from '../../catalog/removed-meanwhile.js'
import type { Context } from '../../context.js'
import { messageOf } from '../../errors.js'
import type { ServerPrograms } from '../../postgres/programs/find-server.js'
import { isOutside } from '../../postgres/server/server-facts.js'
import { recoverySettings } from '../../recovery/recovery-conf.js'
import type { RecoveryPlan } from '../../recovery/recovery-plan.js'
import { syncPath, writeDurably } from '../../system/files/durable.js'
import { copyArchive } from '../copy/copy-archive.js'
import { copyCluster, copyControlFile } from '../copy/copy-cluster.js'
import { type Instance, type InstanceRecord, instanceFormat, readInstance } from './instance.js'
import { writeInstanceConf } from './instance-conf.js'
import { createInstanceDirectory, publishInstance } from './instance-directory.js'
import { instanceReadme } from './instance-readme.js'
import { removeInstance } from './instance-remains.js'

/** Everything that has been checked, and what is wanted. */
export interface InstanceRequest {
  backup: ReadableBackup
  root: string
  name: string
  port: number
  database: string
  programs: ServerPrograms
  recovery: RecoveryPlan
}

/**
 * Copies a backup into an instance, ready to be started. Whatever goes wrong, nothing of it stays.
 * @throws {PgbkError} with what failed; `locked` when another restore has the name; the signal's reason when aborted.
 */
export async function restoreInstance(request: InstanceRequest, context: Context): Promise<Instance> {
  const { root, name } = request
  const layout = await createInstanceDirectory(root, name)
  try {
    await fillInstanceFiles(request, layout, context)
    context.signal.throwIfAborted()
    checkStillThere(request.backup)
    const published = await publishInstance(layout, name)
    return readInstance(published.directory, name)
  } catch (error) {
    await cleanUp(layout, context)
    throw error
  }
}

async function fillInstanceFiles(
  request: InstanceRequest,
  layout: InstanceLayout,
  context: Context,
): Promise<void> {
  const { backup } = request
  const final = join(rootLayout(request.root).instances, request.name)
  const tablespaces = recordOf(backup)
    .tablespaces.filter(isOutside)
    .map(({ oid }) => ({
      oid,
      directory: join(layout.tablespaces, String(oid)),
      target: join(instanceLayout(final).tablespaces, String(oid)),
    }))
  for (const { directory } of tablespaces) await mkdir(directory)
  await copyCluster(backup, { data: layout.data, tablespaces }, context)
  const settings = await recoverySettingsFor(request, layout, final, context)
  await writeInstanceConf({ ...request, directory: final }, layout, settings, context)
  await writeTexts(request, layout, final, context)
  if (settings) {
    await writeFile(join(layout.data, 'recovery.signal'), '')
  }
  await copyControlFile(backup, layout.data)
  for (const directory of [layout.data, layout.tablespaces, layout.directory]) await syncPath(directory)
}

/** The WAL of a borrowed backup, which will not stay where it is, goes into the instance. */
async function recoverySettingsFor(
  { backup, recovery: { recovery, archive } }: InstanceRequest,
  layout: InstanceLayout,
  final: string,
  { signal }: Context,
): Promise<ReturnType<typeof recoverySettings> | undefined> {
  if (!recovery) return undefined
  if (!backup.borrowed || !archive) return recoverySettings(recovery)
  await copyArchive(archive, layout.wal, { ...recovery, signal })
  return recoverySettings({ ...recovery, archives: [{ directory: instanceLayout(final).wal, from: 0n }] })
}

async function writeTexts(
  { backup, root, name, database, programs, port }: InstanceRequest,
  layout: InstanceLayout,
  directory: string,
  context: Context,
): Promise<void> {
  const record: InstanceRecord = {
    format: instanceFormat,
    name,
    backup: backup.id,
    created_at: context.now().toISOString(),
    server_version: recordOf(backup).server.version,
    major: majorOf(recordOf(backup)),
    role: recordOf(backup).superuser,
    database,
  }
  await writeDurably(layout.record, `${JSON.stringify(record, undefined, 2)}\n`)
  const { postgres } = programs
  await writeDurably(layout.readme, instanceReadme({ record, backup, root, directory, port, postgres }))
}

/** Its own failures must not hide why it came to this; the next restore takes it up again. */
async function cleanUp(layout: InstanceLayout, { progress }: Context): Promise<void> {
  progress.step('cleaning up')
  try {
    await removeInstance(layout)
  } catch (error) {
    progress.warn(
      `${layout.directory} could not be removed, the next restore will try again: ${messageOf(error)}`,
    )
  }
}
