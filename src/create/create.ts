import { randomBytes } from 'node:crypto'
import type { LocalBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { checkCluster } from '../catalog/check-cluster.js'
import { rememberCreate } from '../catalog/last-create.js'
import { createRoot, openRootToCreate } from '../catalog/prepare-root.js'
import { unprovenReasons } from '../catalog/proof-outcome.js'
import { parseRecord } from '../catalog/record.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { checkPackable } from '../packing/check-copy-of-snapshot.js'
import { packedShare } from '../packing/packed-share.js'
import { localPlace } from '../place/local-place.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { type ConnectedServer, connectToServer, serverLine } from '../postgres/server/connect-to-server.js'
import { checkServer } from '../postgres/server/preflight.js'
import { majorVersion, readServerFacts } from '../postgres/server/server-facts.js'
import { readStandbyState, standbyWarning } from '../postgres/server/standby-state.js'
import type { SandboxMode } from '../run/enclosure/start-enclosed.js'
import { prove, withSandbox } from '../run/proof/prove.js'
import type { HeldLock } from '../system/files/lock.js'
import { checkPlainLine } from '../text/printable.js'
import { checkDisk, warnOfSharedDisk } from './check-disk.js'
import { checkRate, checkWire, type Wire } from './copy/base-backup.js'
import type { CreateJob } from './create-job.js'
import { fillPacked, streamObstacle } from './fill-packed.js'
import { fillPlain } from './fill-plain.js'
import { cleanUp, removeLeftOvers } from './remove-leftovers.js'
import { prepareToShare } from './share-with-previous.js'

export interface CreateOptions extends ConnectionFlags {
  label?: string
  scheduled?: boolean
  checkpoint?: 'fast' | 'spread'
  maxRate?: string | undefined
  verify?: boolean
  /** Share no blocks with earlier backups. */
  independent?: boolean
  /** As one compressed image. */
  packed?: boolean
  newCluster?: boolean
  /** Really start the finished backup, too. */
  prove?: boolean
  sandbox?: SandboxMode
}

/** Backs the server up. All checks come before the first write; a backup is listed only when it is whole. */
export async function create(options: CreateOptions, task: Task): Promise<LocalBackup> {
  const { settings, context } = task
  const wanted = {
    label: options.label,
    scheduled: options.scheduled ?? false,
    checkpoint: options.checkpoint ?? settings.create.checkpoint,
    maxRate: options.maxRate ?? settings.create.max_rate,
    verify: options.verify ?? settings.create.verify,
    wire: settings.create.wire,
    independent: options.independent ?? false,
    form: options.packed ? ('packed' as const) : settings.create.form,
  }
  checkPlainLine(wanted.label, 'label')
  checkRate(wanted.maxRate)
  const root = openRootToCreate(settings.root, context)
  const place = localPlace(root.root, context)
  return rememberCreate(root, wanted, context, async () => {
    const applicationName = `pgbk_create_${randomBytes(6).toString('hex')}`
    let server = await connectToServer(options, settings, applicationName, context)
    context.progress.say(serverLine(server.facts))
    if (!options.newCluster) checkCluster(await place.list(), 'this server', server.facts)
    // A killed create may still hold the WAL senders, the slot and the disk that this one needs.
    if (await removeLeftOvers(root, server.psql, context))
      server = { ...server, facts: await readServerFacts(server.psql) }
    await checkServer(server.psql, server.facts)
    checkWire(wanted.wire, majorVersion(server.facts))
    const streams = wanted.form === 'packed' && (await checkStreams(server, wanted.wire, context))
    const packed = wanted.form === 'packed' ? packedShare(readCatalog(root.root).backups) : undefined
    const sharing = await checkDisk(root, server.facts, context.progress, { streams, packed })
    const standby = server.facts.in_recovery ? await readStandbyState(server.psql) : undefined
    const behind = standby && standbyWarning(standby)
    if (behind !== undefined) context.progress.warn(behind)

    createRoot(root)
    await warnOfSharedDisk(root, sharing, context)
    const job = { ...wanted, sharing: settings.create, place, server, standby, applicationName, streams }
    const backup = await place.lease('create', { purpose: 'create' }, context, (guarded, lease) =>
      makeBackup(job, lease, guarded),
    )
    // Not under the lock: the next create need not wait.
    return options.prove ? withProof(backup, withSandbox(task, options.sandbox)) : backup
  })
}

/** Makes one backup in a partial directory and publishes it. Whatever goes wrong, nothing of it stays, here or on the server. */
async function makeBackup(job: CreateJob, lease: HeldLock, context: Context): Promise<LocalBackup> {
  const { place, applicationName } = job
  const startedAt = context.now()
  const marker = { made_by: 'create', application_name: applicationName }
  const partial = await place.stage(startedAt, marker)
  try {
    await prepareToShare(partial.layout.directory, job.sharing, context)
    const fill = job.form === 'packed' ? fillPacked : fillPlain
    const record = await fill(partial, job, startedAt, context)
    const text = `${JSON.stringify(record, undefined, 2)}\n`
    parseRecord(text)
    return await place.publish(partial, text, lease.check)
  } catch (error) {
    await cleanUp(partial, job, context)
    throw error
  }
}

/**
 * Makes sure that the server's snapshot can be packed here.
 * @returns whether it can be while it is copied; if not, that is said.
 * @throws {PgbkError} `programs-missing`.
 */
async function checkStreams(
  { facts, installations }: ConnectedServer,
  wire: Wire,
  context: Context,
): Promise<boolean> {
  checkPackable(majorVersion(facts), installations, context)
  const obstacle = await streamObstacle(facts, wire, context)
  if (obstacle !== undefined)
    context.progress.say(`the backup is copied as a directory first, and packed then: ${obstacle}`)
  return obstacle === undefined
}

async function withProof(backup: LocalBackup, task: Task): Promise<LocalBackup> {
  const { settings, context } = task
  const proof = await prove(backup, readCatalog(settings.root), [], task)
  for (const reason of unprovenReasons(proof)) context.progress.warn(`${backup.id} is not proven: ${reason}`)
  return { ...backup, proof }
}
