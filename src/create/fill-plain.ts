import { statSync } from 'node:fs'
import type { BackupLayout } from '../catalog/layout.js'
import type { Partial } from '../catalog/partial.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { findVerifier, verifySnapshot } from '../postgres/programs/check-backup.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { majorVersion } from '../postgres/server/server-facts.js'
import { readStandbyState } from '../postgres/server/standby-state.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'
import { snapshotReadme } from '../snapshot/readme.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import { allOf } from '../system/files/in-parallel.js'
import { measureTree } from '../system/files/measure.js'
import { archiveWal } from './archive-wal.js'
import { copyData } from './copy/copy-server.js'
import type { CreateJob } from './create-job.js'
import { draftRecord, gather } from './gather.js'
import { keepConf } from './keep-conf.js'
import { noteSaving } from './note-saving.js'
import { baseFor, shareWith } from './share-with-previous.js'

/** Makes a plain backup, on disk, but for its record, which is returned. */
export async function fillPlain(
  partial: Partial,
  job: CreateJob,
  startedAt: Date,
  context: Context,
): Promise<BackupRecord> {
  const { id, layout } = partial
  const { server } = job
  const copying = copyData(server, layout, { ...job, label: `pgbk ${id}` }, context)
  const gathered = await gather(copying, job, context)
  const conf = await keepConf(server, layout, { id, ...gathered }, context)
  const shared = await share(layout, job, context)
  context.progress.step(job.verify ? 'verifying' : 'archiving the WAL')
  const after = job.standby && (await readStandbyState(server.psql))
  const [verifiedBy, standbyWal, snapshot] = await allOf([
    job.verify ? verify(server, layout, context) : undefined,
    archiveWal(server, layout, gathered.copied.range, context),
    // Only a README is still written there.
    measureTree(layout.snapshot),
  ])
  const further = { ...conf, startedAt, after, standbyWal, verifiedBy }
  const draft = await draftRecord(partial, job, gathered, further, context)
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
  if (!verifier.checksWal) progress.warn(unverifiedWal(major))
  await verifySnapshot(verifier, layout.snapshot, { env, signal })
  return verifier.version
}

/** What is said where pg_verifybackup does not read the WAL. */
export function unverifiedWal(major: number): string {
  return `the WAL is not verified: that needs pg_verifybackup and pg_waldump ${major}`
}
