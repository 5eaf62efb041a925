import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { messageOf } from '../../errors.js'
import { type Psql, replicationCommands } from '../../postgres/connection/psql.js'
import type { ConnectedServer } from '../../postgres/server/connect-to-server.js'
import { hasProc } from '../../system/process/processes.js'
import { writeOnlyBelow } from '../../system/program/write-only-below.js'
import { baseBackupArgs, runBaseBackup } from './base-backup.js'
import { checkVersionDirectories } from './check-tablespaces.js'
import { refusalOf } from './left-out-of-copy.js'
import { watchWaiting } from './waiting.js'

export interface CopyOptions {
  label: string
  applicationName: string
  checkpoint: 'fast' | 'spread'
  maxRate: string | undefined
}

/**
 * Runs pg_basebackup into the layout.
 * @returns what the server, and pg_basebackup itself, have told besides.
 */
export async function runCopy(
  { facts, psql, clients }: ConnectedServer,
  layout: BackupLayout,
  options: CopyOptions,
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
  const watch = watchWaiting(psql, options.applicationName, progress)
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
