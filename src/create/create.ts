import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { type BackupForm, type LocalBackup, storedBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { checkCluster } from '../catalog/check-cluster.js'
import { rememberCreate } from '../catalog/last-create.js'
import type { BackupLayout } from '../catalog/layout.js'
import type { Partial } from '../catalog/partial.js'
import { createRoot, openRootToCreate } from '../catalog/prepare-root.js'
import { unprovenReasons } from '../catalog/proof-outcome.js'
import { type BackupRecord, majorOf, parseRecord, summarize } from '../catalog/record.js'
import type { Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { checkPackable, neededVerifier } from '../packing/check-copy-of-snapshot.js'
import { packSnapshot } from '../packing/pack-snapshot.js'
import { type LocalPlace, localPlace } from '../place/local-place.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { findVerifier, verifySnapshot } from '../postgres/programs/check-backup.js'
import { type ConnectedServer, connectToServer, serverLine } from '../postgres/server/connect-to-server.js'
import { readInsideDatabases } from '../postgres/server/database-facts.js'
import { checkServer } from '../postgres/server/preflight.js'
import { majorVersion, readServerFacts } from '../postgres/server/server-facts.js'
import { readServerSettings } from '../postgres/server/server-settings.js'
import { readStandbyState, type StandbyState, standbyWarning } from '../postgres/server/standby-state.js'
import type { SandboxMode } from '../run/enclosure/start-enclosed.js'
import { prove, withSandbox } from '../run/proof/prove.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'
import { snapshotReadme } from '../snapshot/readme.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import { allOf } from '../system/files/in-parallel.js'
import type { HeldLock } from '../system/files/lock.js'
import { measureTree } from '../system/files/measure.js'
import { removeTree } from '../system/files/remove-tree.js'
import { bytePath } from '../system/paths/byte-path.js'
import { checkPlainLine } from '../text/printable.js'
import { version } from '../version.js'
import { archiveWal } from './archive-wal.js'
import { buildRecord, describeStandby } from './build-record.js'
import { checkDisk, warnOfSharedDisk } from './check-disk.js'
import { checkRate, checkWire, type Wire } from './copy/base-backup.js'
import { copyData } from './copy/copy-server.js'
import { keepConf } from './keep-conf.js'
import { noteSaving } from './note-saving.js'
import { cleanUp, removeLeftOvers } from './remove-leftovers.js'
import { baseFor, prepareToShare, type ShareSettings, shareWith } from './share-with-previous.js'

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
    if (wanted.form === 'packed')
      await checkPackable(majorVersion(server.facts), server.installations, context)
    const sharing = await checkDisk(root, server.facts, context.progress)
    const standby = server.facts.in_recovery ? await readStandbyState(server.psql) : undefined
    const behind = standby && standbyWarning(standby)
    if (behind !== undefined) context.progress.warn(behind)

    createRoot(root)
    await warnOfSharedDisk(root, sharing, context)
    const job = { ...wanted, sharing: settings.create, place, server, standby, applicationName }
    const backup = await place.lease('create', { purpose: 'create' }, context, (guarded, lease) =>
      makeBackup(job, lease, guarded),
    )
    // Not under the lock: the next create need not wait.
    return options.prove ? withProof(backup, withSandbox(task, options.sandbox)) : backup
  })
}

/** Everything that has been checked, and what is wanted. */
interface CreateJob {
  place: LocalPlace
  server: ConnectedServer
  /** Where the server is one. */
  standby: StandbyState | undefined
  applicationName: string
  label: string | undefined
  scheduled: boolean
  checkpoint: 'fast' | 'spread'
  maxRate: string | undefined
  wire: Wire
  verify: boolean
  independent: boolean
  sharing: ShareSettings
  form: BackupForm
}

/** Makes one backup in a partial directory and publishes it. Whatever goes wrong, nothing of it stays, here or on the server. */
async function makeBackup(job: CreateJob, lease: HeldLock, context: Context): Promise<LocalBackup> {
  const { place, applicationName } = job
  const startedAt = context.now()
  const marker = { made_by: 'create', application_name: applicationName }
  const partial = await place.stage(startedAt, marker)
  try {
    await prepareToShare(partial.layout.directory, job.sharing, context)
    const plain = await fill(partial, job, startedAt, context)
    const record = job.form === 'packed' ? await packCopy(partial, plain, job, context) : plain
    const text = `${JSON.stringify(record, undefined, 2)}\n`
    parseRecord(text)
    return await place.publish(partial, text, lease.check)
  } catch (error) {
    await cleanUp(partial, job, context)
    throw error
  }
}

/** The copy lies there in full before it is packed. @returns the record with the image. */
async function packCopy(
  { layout }: Partial,
  record: BackupRecord,
  { server }: CreateJob,
  context: Context,
): Promise<object> {
  const text = JSON.stringify(record)
  const plain = {
    ...storedBackup(summarize(text), 'whole'),
    directory: layout.directory,
    snapshot: layout.snapshot,
  }
  const verifier = neededVerifier(majorOf(record), server.installations)
  const packed = await withEnds(context, (own) => packSnapshot(plain, layout, verifier, own))
  await removeTree(bytePath(layout.snapshot))
  return packed
}

async function fill(
  { id, layout }: Partial,
  job: CreateJob,
  startedAt: Date,
  context: Context,
): Promise<BackupRecord> {
  const { server } = job
  const { progress } = context
  // The server is asked while it is copied.
  const [copied, settings, inside] = await allOf([
    copyData(server, layout, { ...job, label: `pgbk ${id}` }, context),
    readServerSettings(server.psql, server.facts),
    readInsideDatabases(server.psql, server.facts, progress),
  ])
  const conf = await keepConf(server, layout, { id, copied, settings }, context)
  const shared = await share(layout, job, context)
  progress.step(job.verify ? 'verifying' : 'archiving the WAL')
  const after = job.standby && (await readStandbyState(server.psql))
  const [verifiedBy, standbyWal, snapshot] = await allOf([
    job.verify ? verify(server, layout, context) : undefined,
    archiveWal(server, layout, copied.range, context),
    // Only a README is still written there.
    measureTree(layout.snapshot),
  ])

  const tools = { pgbk: version, pg_basebackup: server.clients.version, pg_verifybackup: verifiedBy ?? null }
  const draft = await buildRecord(
    {
      ...job,
      ...conf,
      id,
      startedAt,
      finishedAt: context.now(),
      facts: server.facts,
      inside,
      copied,
      standby: job.standby && standbyWal && describeStandby({ before: job.standby, after }, standbyWal),
      timeZone: settings.settings.TimeZone,
      verified: verifiedBy !== undefined,
      tools,
    },
    layout,
  )
  await writeDurably(layout.readme, snapshotReadme(draft))
  await syncPath(layout.snapshot)
  const rest = await measureTree(layout.directory, layout.snapshot)
  return {
    ...draft,
    own_files: pgbkFileChecksums(layout),
    size_bytes: snapshot.bytes + statSync(layout.readme).size + rest.bytes,
    ...(shared ? { shared } : await saving(layout, job, context)),
    file_count: snapshot.files + 1 + rest.files,
  }
}

async function saving({ snapshot }: BackupLayout, { form, place }: CreateJob, context: Context) {
  return form === 'plain' ? noteSaving(snapshot, (await place.list()).backups, context) : {}
}

/** Only where pg_verifybackup reads the result: what was compared is not what was sent until then. */
async function share(
  layout: BackupLayout,
  { server, place, independent, sharing, form, verify: isVerified }: CreateJob,
  context: Context,
): Promise<BackupRecord['shared']> {
  if (form === 'packed') return undefined
  if (!isVerified || !findVerifier(majorVersion(server.facts), server.installations)) return undefined
  const { system_identifier: cluster } = server.facts
  const found = baseFor(
    { catalog: await place.list(), cluster, directory: layout.directory, independent },
    sharing,
  )
  if ('backup' in found) return shareWith(found.backup, layout, context)
  context.progress.detail(`shares no blocks with an earlier backup: ${found.none}`)
  return undefined
}

/** Returns the version of the pg_verifybackup that found no fault, or undefined where there is none to ask. */
async function verify(
  server: ConnectedServer,
  layout: BackupLayout,
  { env, signal, progress }: Context,
): Promise<string | undefined> {
  const major = majorVersion(server.facts)
  const verifier = findVerifier(major, server.installations)
  if (!verifier) {
    progress.warn(`the backup is not verified: pg_verifybackup ${major} or newer is not installed`)
    return undefined
  }
  if (!verifier.checksWal)
    progress.warn(`the WAL is not verified: that needs pg_verifybackup and pg_waldump ${major}`)
  await verifySnapshot(verifier, layout.snapshot, { env, signal })
  return verifier.version
}

async function withProof(backup: LocalBackup, task: Task): Promise<LocalBackup> {
  const { settings, context } = task
  const proof = await prove(backup, readCatalog(settings.root), [], task)
  for (const reason of unprovenReasons(proof)) context.progress.warn(`${backup.id} is not proven: ${reason}`)
  return { ...backup, proof }
}
