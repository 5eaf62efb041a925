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
import { baseBackupArgs, type CopyOptions, runBaseBackup } from './base-backup.js'
import {
  checkBeforeCopy,
  checkCopied,
  checkDatabases,
  checkSameTablespaces,
  checkVersionDirectories,
} from './check-copy.js'
import { leftOutOfCopy, refusalOf } from './left-out-of-copy.js'

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

/** Runs pg_basebackup into the layout and makes sure that it copied the server that was asked. */
export async function copyData(
  server: ConnectedServer,
  layout: BackupLayout,
  options: CopyOptions & { applicationName: string },
  context: Context,
): Promise<CopiedData> {
  const { facts, psql } = server
  await checkBeforeCopy(server)
  const notices = await runCopy(server, layout, options, context)
  checkVersionDirectories(facts, layout)
  await checkCopied(layout, facts, context)
  const { leftOut, others } = leftOutOfCopy(notices, layout, facts)
  for (const notice of others) context.progress.warn(notice)
  const times = await endOfCopy(psql, layout, context)
  await checkIdentity(layout, facts)
  await closeToOthers(layout, context)
  await makeLinksRelative(
    layout,
    facts.tablespaces.filter(isOutside).map(({ oid }) => oid),
  )
  const label = await readBackupLabel(join(layout.data, 'backup_label'))
  const range = await readWalRange(join(layout.data, 'backup_manifest'))
  await checkSameTablespaces(server, layout, range, context)
  await checkDatabases(psql, facts, layout)
  return { ...times, label, range, leftOut }
}

/**
 * Runs pg_basebackup into the layout.
 * @returns what the server, and pg_basebackup itself, have told besides.
 */
async function runCopy(
  { facts, psql, clients }: ConnectedServer,
  layout: BackupLayout,
  options: CopyOptions & { applicationName: string },
  { signal, progress }: Context,
): Promise<string[]> {
  const args = baseBackupArgs(psql.connection, {
    ...options,
    dataDirectory: layout.data,
    tablespacesDirectory: layout.tablespaces,
    tablespaces: facts.tablespaces,
  })
  progress.detail(`pg_basebackup ${args.join(' ')}`)
  const within = await containment(psql, layout, progress)
  const watch = watchWaitEvents(psql, options.applicationName, progress)
  try {
    return await runBaseBackup({
      program: join(clients.bin, 'pg_basebackup'),
      within,
      args,
      connection: psql.connection,
      signal,
      progress: watch.progress,
      onLeftOut: (path) => refusalOf(path, facts),
    })
  } catch (error) {
    signal.throwIfAborted()
    checkVersionDirectories(facts, layout)
    throw error
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

/**
 * To be asked right after pg_basebackup has ended. The server sends the manifest when the snapshot ends; after that all files are
 * flushed to disk, which may take a while.
 */
async function endOfCopy(psql: Psql, { data }: BackupLayout, { now }: Context): Promise<CopyTimes> {
  const milliseconds = await query(psql, serverTimeQuery)
  const serverTime = Number(milliseconds)
  const { mtimeMs } = await stat(join(data, 'backup_manifest'))
  const flushing = Math.max(0, now().getTime() - mtimeMs)
  return { serverTime: new Date(serverTime), endedAt: new Date(serverTime - flushing) }
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
