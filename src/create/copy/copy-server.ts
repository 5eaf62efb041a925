import { realpathSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { type Psql, query, replicationCommands } from '../../postgres/connection/psql.js'
import { readSystemIdentifiers } from '../../postgres/local/control-file.js'
import type { ConnectedServer } from '../../postgres/server/connect-to-server.js'
import { isOutside, type ServerFacts } from '../../postgres/server/server-facts.js'
import { sql } from '../../postgres/sql/sql.js'
import { makeLinksRelative } from '../../snapshot/arrange-snapshot.js'
import { type BackupLabel, readBackupLabel } from '../../snapshot/backup-label.js'
import { readWalRange } from '../../snapshot/manifest/manifest.js'
import type { WalRange } from '../../snapshot/manifest/manifest-parser.js'
import { hasProc } from '../../system/process/process-table.js'
import { runProgram } from '../../system/program/run-program.js'
import { writeOnlyBelow } from '../../system/program/write-only-below.js'
import { watchWaitEvents } from './backup-wait-events.js'
import { baseBackupArgs, type CopyOptions, type RunBaseBackup, runBaseBackup } from './base-backup.js'
import {
  checkBeforeCopy,
  checkCopied,
  checkDatabases,
  checkSameTablespaces,
  checkVersionDirectories,
} from './check-copy.js'
import { isInCopy, leftOutOfCopy, refusalOf } from './left-out-of-copy.js'

/** By the server's clock: that is the one of the commits' times. */
interface CopyTimes {
  /** The end of the snapshot: it has what was committed before. */
  endedAt: Date
  /** When pg_basebackup had ended, or a little later. */
  serverTime: Date
}

/** What the copied files say about themselves. */
export interface CopiedData extends CopyTimes {
  label: BackupLabel
  range: WalRange
  /** What the server has not sent, by its path below the data directory; no data is lost with it. */
  leftOut: string[]
}

export type NamedCopyOptions = CopyOptions & { applicationName: string }

/** Runs pg_basebackup into the layout and makes sure that it copied the server that was asked. */
export async function copyData(
  server: ConnectedServer,
  layout: BackupLayout,
  options: NamedCopyOptions,
  context: Context,
): Promise<CopiedData> {
  const { facts, psql } = server
  await checkBeforeCopy(server)
  const notices = await runCopy(server, layout, options, context)
  checkVersionDirectories(facts, layout)
  await checkCopied(layout, facts, context)
  const leftOut = leftOutSaid(notices, (path) => isInCopy(path, layout, facts), facts, context)
  // The server sends the manifest when the snapshot ends; after that all files are flushed to disk, which may take a while.
  const { mtime: sentAt } = await stat(join(layout.data, 'backup_manifest'))
  const times = await endOfCopy(psql, sentAt, context)
  await closeToOthers(layout, context)
  await makeLinksRelative(
    layout,
    facts.tablespaces.filter(isOutside).map(({ oid }) => oid),
  )
  return { ...times, leftOut, ...(await identifyCopy(server, layout, context)) }
}

/** What the server has left out; of all else that was said the user is told. @throws {PgbkError} as `leftOutOfCopy`. */
export function leftOutSaid(
  notices: string[],
  isThere: (path: string) => boolean,
  facts: ServerFacts,
  { progress }: Context,
): string[] {
  const { leftOut, others } = leftOutOfCopy(notices, isThere, facts)
  for (const notice of others) progress.warn(notice)
  return leftOut
}

/**
 * Makes sure that what was copied is the server that was asked, with all its databases and with no tablespace of which nobody knew.
 * @throws {PgbkError} `failed`, `refused` or `damaged`.
 */
export async function identifyCopy(
  server: ConnectedServer,
  layout: BackupLayout,
  context: Context,
): Promise<Pick<CopiedData, 'label' | 'range'>> {
  await checkIdentity(layout, server.facts)
  const label = await readBackupLabel(join(layout.data, 'backup_label'))
  const range = await readWalRange(join(layout.data, 'backup_manifest'))
  await checkSameTablespaces(server, layout, range, context)
  await checkDatabases(server.psql, server.facts, layout)
  return { label, range }
}

/**
 * Runs pg_basebackup into the layout.
 * @returns what the server, and pg_basebackup itself, have told besides.
 */
async function runCopy(
  server: ConnectedServer,
  layout: BackupLayout,
  options: NamedCopyOptions,
  context: Context,
): Promise<string[]> {
  const { facts, psql } = server
  const args = baseBackupArgs(psql.connection, {
    ...options,
    dataDirectory: layout.data,
    tablespacesDirectory: layout.tablespaces,
    tablespaces: facts.tablespaces,
  })
  const within = await containment(psql, layout, context.progress)
  try {
    return await runWatched(server, { args, within, applicationName: options.applicationName }, context)
  } catch (error) {
    context.signal.throwIfAborted()
    checkVersionDirectories(facts, layout)
    throw error
  }
}

/** Runs pg_basebackup, and says what the server waits for when nothing comes. @returns and throws as `runBaseBackup`. */
export async function runWatched(
  { facts, psql, clients }: ConnectedServer,
  {
    applicationName,
    ...run
  }: Pick<RunBaseBackup, 'args' | 'within' | 'readOutput'> & { applicationName: string },
  { signal, progress }: Context,
): Promise<string[]> {
  progress.detail(`pg_basebackup ${run.args.join(' ')}`)
  const watch = watchWaitEvents(psql, applicationName, progress)
  try {
    return await runBaseBackup({
      program: join(clients.bin, 'pg_basebackup'),
      connection: psql.connection,
      signal,
      progress: watch.progress,
      onLeftOut: (path) => refusalOf(path, facts),
      ...run,
    })
  } finally {
    watch.stop()
  }
}

/**
 * pg_basebackup makes directories wherever its server says, if no mapping names the place. Where this system allows it, it cannot; a
 * connection is tried in the same surroundings, in which root's own files (a key of TLS) look like somebody else's.
 */
async function containment(
  psql: Psql,
  { directory }: BackupLayout,
  { detail }: Context['progress'],
): Promise<string[]> {
  const within = writeOnlyBelow(realpathSync(directory))
  try {
    if (!hasProc()) return []
    await replicationCommands({ ...psql, within }, ['IDENTIFY_SYSTEM'])
    return within
  } catch (error) {
    psql.signal?.throwIfAborted()
    detail(`pg_basebackup could write elsewhere: ${messageOf(error)}`)
    return []
  }
}

/** To be asked right after pg_basebackup has ended. @param sentAt by the clock of this machine, when the server had ended the snapshot. */
export async function endOfCopy(psql: Psql, sentAt: Date, { now }: Context): Promise<CopyTimes> {
  const milliseconds = await query(psql, serverTimeQuery)
  const serverTime = Number(milliseconds)
  const since = Math.max(0, now().getTime() - sentAt.getTime())
  return { serverTime: new Date(serverTime), endedAt: new Date(serverTime - since) }
}

const serverTimeQuery = sql`SELECT pg_catalog.ceil(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint;`

/** A server with group access (initdb --allow-group-access) passes that on to its copies. */
async function closeToOthers(layout: BackupLayout, { env, signal }: Context): Promise<void> {
  if (((await stat(layout.data)).mode & 0o077) === 0) return
  const { status, stderr } = await runProgram('chmod', ['-R', 'go=', layout.snapshot], {
    env,
    signal,
  })
  if (status !== 0) throw new PgbkError('failed', `cannot close the snapshot to others: ${stderr.trim()}`)
}

async function checkIdentity({ data }: BackupLayout, facts: ServerFacts): Promise<void> {
  const identifiers = await readSystemIdentifiers(data)
  if (identifiers.includes(facts.system_identifier)) return
  throw new PgbkError(
    'failed',
    `psql reached cluster ${facts.system_identifier}, pg_basebackup cluster ${identifiers[0]}`,
    {
      hint: 'The host name leads to more than one server. Name one of them.',
    },
  )
}
