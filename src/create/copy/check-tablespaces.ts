import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { findTablespaceRecords } from '../../postgres/programs/check-backup.js'
import type { ConnectedServer } from '../../postgres/server/connect-to-server.js'
import { linksHint } from '../../postgres/server/left-out.js'
import { majorVersion, type ServerFacts } from '../../postgres/server/server-facts.js'
import { areTheSame, orphanLinks, orphanLinkText } from '../../postgres/server/tablespace-links.js'
import type { WalRange } from '../../snapshot/manifest/manifest-parser.js'

/**
 * To be asked right before pg_basebackup begins, which writes to the server's own path whatever no mapping names.
 * @throws {PgbkError} `refused` when the server would send more, `failed` when its tablespaces have changed.
 */
export async function checkBeforeCopy({ psql, facts }: ConnectedServer): Promise<void> {
  if (!(await areTheSame(psql, facts))) throw changed()
  const [link] = (await orphanLinks(psql)) ?? []
  if (!link) return
  const { message, hint } = orphanLinkText(link, facts.data_directory)
  throw new PgbkError('refused', message, { hint })
}

/**
 * A tablespace that came while the backup ran is at its place on the server, in the copy too, or will be when its WAL is replayed:
 * the copy would write there.
 * @throws {PgbkError} `failed`.
 */
export async function checkSameTablespaces(
  { facts, psql, installations }: ConnectedServer,
  layout: BackupLayout,
  range: WalRange,
  { env, signal }: Context,
): Promise<void> {
  const search = {
    pgWal: layout.pgWal,
    range,
    major: majorVersion(facts),
    installations,
    env,
    signal,
  }
  if (!(await areTheSame(psql, facts)) || (await findTablespaceRecords(search))) throw changed()
}

function changed(): PgbkError {
  return new PgbkError('failed', 'a tablespace was created or dropped while the backup ran', {
    hint: 'Run pgbk create again.',
  })
}

/**
 * A link in the place of a tablespace's PG_15_202209061 is sent as a file without contents, and what comes behind it is not understood
 * by pg_basebackup (_tarWriteHeader in basebackup.c): it fails in one way or another, or ends well with nothing of it.
 * @throws {PgbkError} `refused`.
 */
export function checkVersionDirectories(
  { tablespaces }: Pick<ServerFacts, 'tablespaces'>,
  layout: BackupLayout,
): void {
  for (const { oid, name, location } of tablespaces) {
    const [file] = entriesOf(join(layout.tablespaces, String(oid))).filter(
      (entry) => entry.name.startsWith('PG_') && !lstatSync(entry.path).isDirectory(),
    )
    if (!file) continue
    throw new PgbkError(
      'refused',
      `${location}/${file.name} of tablespace ${name} is a symbolic link on the server, which cannot be copied`,
      { hint: linksHint },
    )
  }
}

function entriesOf(directory: string): { name: string; path: string }[] {
  try {
    return readdirSync(directory).map((name) => ({ name, path: join(directory, name) }))
  } catch {
    return []
  }
}
