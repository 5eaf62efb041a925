import { statSync } from 'node:fs'
import type { LocalBackup } from '../catalog/backup.js'
import type { BackupLayout } from '../catalog/layout.js'
import type { Partial } from '../catalog/partial.js'
import { type BackupRecord, parseRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import type { LocalPlace } from '../place/local-place.js'
import { findVerifier, verifySnapshot } from '../postgres/programs/check-backup.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { readInsideDatabases } from '../postgres/server/database-facts.js'
import { majorVersion } from '../postgres/server/server-facts.js'
import { readServerSettings } from '../postgres/server/server-settings.js'
import { readStandbyState, type StandbyState } from '../postgres/server/standby-state.js'
import { ownFileChecksums } from '../snapshot/conf/own-files.js'
import { snapshotReadme } from '../snapshot/readme.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import type { HeldLock } from '../system/files/lock.js'
import { measureTree } from '../system/files/measure.js'
import { version } from '../version.js'
import { archiveWal } from './archive-wal.js'
import { copyData } from './copy/copy-server.js'
import { describe } from './describe.js'
import { keepConf } from './keep-conf.js'
import { describeStandby } from './standby-time.js'
import { tryEndWalSenders } from './sweep.js'

/** Everything that has been checked, and what is wanted. */
export interface BackupJob {
  place: LocalPlace
  server: ConnectedServer
  /** Where the server is one. */
  standby: StandbyState | undefined
  applicationName: string
  label: string | undefined
  scheduled: boolean
  checkpoint: 'fast' | 'spread'
  maxRate: string | undefined
  verify: boolean
  /** That of `create`. */
  lease: HeldLock
}

/** Makes one backup in a partial directory and publishes it. Whatever goes wrong, nothing of it stays, here or on the server. */
export async function makeBackup(job: BackupJob, context: Context): Promise<LocalBackup> {
  const startedAt = context.now()
  const partial = await job.place.stage(startedAt, {
    made_by: 'create',
    application_name: job.applicationName,
  })
  try {
    const record = await fillPartial(partial, job, startedAt, context)
    const text = `${JSON.stringify(record, undefined, 2)}\n`
    parseRecord(text)
    return await job.place.publish(partial, text, job.lease.check)
  } catch (error) {
    context.progress.step('cleaning up')
    await cleanUp(partial, job, context)
    throw error
  }
}

/** Its own failures must not hide why it came to this; the next create takes it up again. */
async function cleanUp(
  partial: Partial,
  { place, server, applicationName }: BackupJob,
  { progress }: Context,
): Promise<void> {
  await tryEndWalSenders(
    { ...server.psql, signal: undefined, timeoutMs: 20_000 },
    applicationName,
    progress.warn,
  )
  try {
    await place.discard(partial)
  } catch (error) {
    progress.warn(
      `${partial.layout.directory} could not be removed, the next create will try again: ${messageOf(error)}`,
    )
  }
}

async function fillPartial(
  { id, layout }: Partial,
  job: BackupJob,
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
  const { configFiles, configuration, skipped } = await keepConf(
    server,
    layout,
    { id, copied, settings },
    context,
  )
  progress.step(job.verify ? 'verifying' : 'archiving the WAL')
  const after = job.standby && (await readStandbyState(server.psql))
  const [verifiedBy, standbyWal, snapshot] = await allOf([
    job.verify ? verify(server, layout, context) : undefined,
    archiveWal(server, layout, copied.range, context),
    // Only a README is still written there.
    measureTree(layout.snapshot),
  ])

  const tools = { pgbk: version, pg_basebackup: server.clients.version, pg_verifybackup: verifiedBy ?? null }
  const draft = await describe(
    {
      ...job,
      id,
      startedAt,
      finishedAt: context.now(),
      facts: server.facts,
      inside,
      copied,
      standby: job.standby && standbyWal && describeStandby({ before: job.standby, after }, standbyWal),
      timeZone: settings.settings.TimeZone,
      configFiles,
      configuration,
      skipped,
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
    own_files: ownFileChecksums(layout),
    size_bytes: snapshot.bytes + statSync(layout.readme).size + rest.bytes,
    file_count: snapshot.files + 1 + rest.files,
  }
}

/** Like Promise.all, but nothing is still going on when it fails: what comes next is the clean-up. */
async function allOf<T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
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
