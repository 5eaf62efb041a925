import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { readSystemIdentifiers } from '../../postgres/local/control-file.js'
import type { ConnectedServer } from '../../postgres/server/connect-to-server.js'
import { isOutside, type ServerFacts } from '../../postgres/server/server-facts.js'
import { makeLinksRelative } from '../../snapshot/arrange-snapshot.js'
import { type BackupLabel, readBackupLabel } from '../../snapshot/backup-label.js'
import { readWalRange } from '../../snapshot/manifest/manifest.js'
import type { WalRange } from '../../snapshot/manifest/manifest-parser.js'
import { runProgram } from '../../system/program/run-program.js'
import { checkCopied } from './check-copied.js'
import { checkDatabases } from './check-databases.js'
import { checkBeforeCopy, checkSameTablespaces, checkVersionDirectories } from './check-tablespaces.js'
import { type CopyTimes, endOfCopy } from './copy-end.js'
import { leftOutOfCopy } from './left-out-of-copy.js'
import { type CopyOptions, runCopy } from './run-copy.js'

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
  options: CopyOptions,
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
