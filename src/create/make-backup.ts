import { writeDurably } from '../backup/durable.js'
import type { BackupLayout, RootLayout } from '../backup/layout.js'
import { measureTree } from '../backup/measure.js'
import { discard, type Partial, publish, startPartial } from '../backup/partial.js'
import { snapshotReadme } from '../backup/readme.js'
import type { BackupRecord } from '../backup/record.js'
import type { Context } from '../context.js'
import { findVerifier, verifySnapshot } from '../postgres/check-backup.js'
import { readConfigFiles } from '../postgres/config-files.js'
import { programEnvironment } from '../postgres/connection.js'
import { readInsideDatabases } from '../postgres/database-facts.js'
import { majorVersion } from '../postgres/server-facts.js'
import { version } from '../version.js'
import { archiveWal, copyData, writeConf } from './copy-server.js'
import { describe } from './describe.js'
import type { ReachedServer } from './server.js'
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
}

export interface MadeBackup {
  record: BackupRecord
  layout: BackupLayout
}

/** Makes one backup in a partial directory and publishes it. Whatever goes wrong, nothing of it stays, here or on the server. */
export async function makeBackup(job: BackupJob, context: Context): Promise<MadeBackup> {
  const startedAt = context.now()
  const partial = await startPartial(job.root, startedAt, () => ({
    made_by: 'create',
    application_name: job.applicationName,
  }))
  try {
    const record = await fill(partial, job, startedAt, context)
    context.signal.throwIfAborted()
    return { record, layout: await publish(job.root, partial, `${JSON.stringify(record, undefined, 2)}\n`) }
  } catch (error) {
    context.progress.step('cleaning up')
    await tryEndWalSenders(
      { ...job.server.psql, signal: undefined },
      job.applicationName,
      context.progress.warn,
    )
    await discard(partial.layout)
    throw error
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
  progress.step('reading the configuration')
  const configFiles = await readConfigFiles(server.psql, server.facts)
  const inside = await readInsideDatabases(server.psql, server.facts, progress)

  const copied = await copyData(server, layout, { ...job, label: `pgbk ${id}` }, context)
  const kept = await writeConf(server, layout, id, configFiles, context)
  sayUnread(configFiles, progress)
  progress.step('archiving the WAL')
  await archiveWal(server, layout, copied.range, context)
  const verifiedBy = job.verify ? await verify(server, layout, context) : undefined

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
      configFiles: kept,
      verified: verifiedBy !== undefined,
      tools,
    },
    layout,
  )
  await writeDurably(layout.readme, snapshotReadme(draft))
  const { bytes, files } = await measureTree(layout.directory)
  return { ...draft, size_bytes: bytes, file_count: files }
}

function sayUnread(files: Awaited<ReturnType<typeof readConfigFiles>>, progress: Context['progress']): void {
  if (files.length === 0) {
    progress.warn(
      "this role may not read the server's configuration files: conf/original has what came with the data directory and what pg_settings shows",
    )
  }
  for (const { path, refusal } of files)
    if (refusal !== undefined) progress.warn(`${path} could not be read and is not in the backup: ${refusal}`)
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
  progress.step('verifying')
  await verifySnapshot(verifier, layout.snapshot, { env: programEnvironment(env), signal })
  return verifier.version
}
