import { syncPath, writeDurably } from '../backup/durable.js'
import type { BackupLayout, RootLayout } from '../backup/layout.js'
import type { HeldLock } from '../backup/lock.js'
import { measureTree } from '../backup/measure.js'
import { ownFileChecksums } from '../backup/own-files.js'
import { discard, type Partial, publish, startPartial } from '../backup/partial.js'
import { snapshotReadme } from '../backup/readme.js'
import { type BackupRecord, parseRecord } from '../backup/record.js'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import { findVerifier, verifySnapshot } from '../postgres/check-backup.js'
import { type ConfigFiles, readConfigFiles } from '../postgres/config-files.js'
import { programEnvironment } from '../postgres/connection.js'
import { readInsideDatabases } from '../postgres/database-facts.js'
import type { ReachedServer } from '../postgres/reach-server.js'
import { majorVersion } from '../postgres/server-facts.js'
import { readServerSettings } from '../postgres/server-settings.js'
import { version } from '../version.js'
import { archiveWal, copyData, writeConf } from './copy-server.js'
import { describe } from './describe.js'
import { tryEndWalSenders } from './sweep.js'

/** Everything that has been checked, and what is wanted. */
export interface BackupJob {
  root: RootLayout
  server: ReachedServer
  applicationName: string
  label: string | undefined
  scheduled: boolean
  checkpoint: 'fast' | 'spread'
  maxRate: string | undefined
  verify: boolean
  lock: HeldLock
}

export interface MadeBackup {
  record: BackupRecord
  layout: BackupLayout
}

/** Makes one backup in a partial directory and publishes it. Whatever goes wrong, nothing of it stays, here or on the server. */
export async function makeBackup(job: BackupJob, context: Context): Promise<MadeBackup> {
  const startedAt = context.now()
  const partial = await startPartial(job.root, startedAt, {
    made_by: 'create',
    application_name: job.applicationName,
  })
  try {
    const record = await fill(partial, job, startedAt, context)
    const text = `${JSON.stringify(record, undefined, 2)}\n`
    parseRecord(text)
    return { record, layout: await publish(job.root, partial, text, job.lock.check) }
  } catch (error) {
    context.progress.step('cleaning up')
    await cleanUp(partial, job, context)
    throw error
  }
}

/** Its own failures must not hide why it came to this; the next create takes it up again. */
async function cleanUp(
  { layout }: Partial,
  { server, applicationName }: BackupJob,
  { progress }: Context,
): Promise<void> {
  await tryEndWalSenders(
    { ...server.psql, signal: undefined, timeoutMs: 20_000 },
    applicationName,
    progress.warn,
  )
  try {
    await discard(layout)
  } catch (error) {
    progress.warn(
      `${layout.directory} could not be removed, the next create will try again: ${messageOf(error)}`,
    )
  }
}

async function fill(
  { id, layout }: Partial,
  job: BackupJob,
  startedAt: Date,
  context: Context,
): Promise<BackupRecord> {
  const { server } = job
  const { progress } = context
  // The server is asked while it is copied.
  const [copied, configuration, inside] = await allOf([
    copyData(server, layout, { ...job, label: `pgbk ${id}` }, context),
    readServerSettings(server.psql, server.facts),
    readInsideDatabases(server.psql, server.facts, progress),
  ])
  const found = await readConfigFiles(server.psql, server.facts, layout)
  const configFiles = await writeConf(server, layout, id, { ...configuration, ...found }, context)
  sayUnread(found, progress)
  progress.step(job.verify ? 'verifying' : 'archiving the WAL')
  const [verifiedBy] = await allOf([
    job.verify ? verify(server, layout, context) : undefined,
    archiveWal(server, layout, copied.range, context),
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
      timeZone: configuration.settings.TimeZone,
      configFiles,
      configuration: found.configuration,
      verified: verifiedBy !== undefined,
      tools,
    },
    layout,
  )
  await writeDurably(layout.readme, snapshotReadme(draft))
  await syncPath(layout.snapshot)
  const { bytes, files } = await measureTree(layout.directory)
  return { ...draft, own_files: ownFileChecksums(layout), size_bytes: bytes, file_count: files }
}

/** Like Promise.all, but nothing is still going on when it fails: what comes next is the clean-up. */
async function allOf<T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

function sayUnread({ configuration }: ConfigFiles, progress: Context['progress']): void {
  if (!configuration) {
    progress.warn(
      "this role may not read the server's configuration files: conf/original has what came with the data directory and what pg_settings shows",
    )
  }
  for (const { path, reason } of configuration?.missing ?? [])
    progress.warn(
      path.endsWith('/')
        ? `the files in ${path} could not be listed, and some may not be in the backup: ${reason}`
        : `${path} could not be read and is not in the backup: ${reason}`,
    )
}

/** Returns the version of the pg_verifybackup that found no fault, or undefined where there is none to ask. */
async function verify(
  server: ReachedServer,
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
  await verifySnapshot(verifier, layout.snapshot, { env: programEnvironment(env), signal })
  return verifier.version
}
