import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { holdWal } from '../../postgres/connection/hold-wal.js'
import type { ConnectedServer } from '../../postgres/server/connect-to-server.js'
import { pathIn } from '../../postgres/server/left-out.js'
import { majorVersion } from '../../postgres/server/server-facts.js'
import { visitManifest } from '../../snapshot/manifest/manifest.js'
import { bytePath, shownPath } from '../../system/paths/byte-path.js'
import type { Put } from '../../system/program/feed-program.js'
import { tarArgs } from '../copy/base-backup.js'
import { checkBeforeCopy } from '../copy/check-copy.js'
import {
  type CopiedData,
  endOfCopy,
  identifyCopy,
  leftOutSaid,
  type NamedCopyOptions,
  runWatched,
} from '../copy/copy-server.js'
import { isInCopy } from '../copy/left-out-of-copy.js'
import { type SortedTar, sortTar } from './sort-tar.js'

/** What is known of a copy whose files are in an image that is being made, but for those that are kept aside. */
export interface StreamedData extends CopiedData {
  /** Of the files that are in the image alone. */
  passed: Pick<SortedTar, 'bytes' | 'files'>
}

/**
 * Runs pg_basebackup, and passes what it sends on into the tar of an image, while the server keeps its WAL: all that comes last. What
 * pgbk reads of it, or changes, lies in the layout then (`isKeptAside`), with all directories.
 * @throws {PgbkError} as `copyData`; what `put` throws.
 */
export async function streamData(
  server: ConnectedServer,
  layout: BackupLayout,
  options: NamedCopyOptions,
  put: Put,
  context: Context,
): Promise<StreamedData> {
  const { facts, psql } = server
  await mkdir(layout.data, { recursive: true, mode: 0o700 })
  await checkBeforeCopy(server)
  const held = await holdWal(psql, options.applicationName, majorVersion(facts))
  const { notices, sorted } = await runTar(server, layout, options, put, context).finally(held.release)
  const times = await endOfCopy(psql, sorted.walCameAt ?? context.now(), context)
  const came = await namesThatCame(notices, layout)
  const leftOut = leftOutSaid(
    notices,
    (path) => came.has(path) || isInCopy(path, layout, facts),
    facts,
    context,
  )
  return { ...times, leftOut, passed: sorted, ...(await identifyCopy(server, layout, context)) }
}

async function runTar(
  server: ConnectedServer,
  layout: BackupLayout,
  options: NamedCopyOptions,
  put: Put,
  context: Context,
): Promise<{ notices: string[]; sorted: SortedTar }> {
  const sorter = sortTar(layout.data, bytePath('data'), context.now)
  const notices = await runWatched(
    server,
    {
      args: tarArgs(server.psql.connection, options),
      // It writes no file that would tell who has left it: it ends with this process.
      within: ['setpriv', '--pdeathsig', 'TERM'],
      applicationName: options.applicationName,
      readOutput: async (output) => {
        for await (const chunk of output) for (const piece of sorter.take(chunk)) await put(piece)
      },
    },
    context,
  )
  return { notices, sorted: sorter.end() }
}

/** Of the paths that notices name, those of files that have come. */
async function namesThatCame(notices: string[], { data }: BackupLayout): Promise<Set<string>> {
  const named = new Set(notices.map(pathIn).filter((path) => path !== undefined))
  const came = new Set<string>()
  if (named.size === 0) return came
  await visitManifest(join(data, 'backup_manifest'), ({ path }) => {
    const shown = shownPath(path)
    if (named.has(shown)) came.add(shown)
  })
  return came
}
