import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { type Psql, query } from '../../postgres/connection/psql.js'
import { findTablespaceRecords } from '../../postgres/programs/check-backup.js'
import type { ConnectedServer } from '../../postgres/server/connect-to-server.js'
import { linksHint } from '../../postgres/server/left-out.js'
import {
  type DatabaseFacts,
  defaultTablespace,
  isInvalid,
  isOutside,
  majorVersion,
  type ServerFacts,
} from '../../postgres/server/server-facts.js'
import { areTheSame, orphanLinks, orphanLinkText } from '../../postgres/server/tablespace-links.js'
import { sql } from '../../postgres/sql/sql.js'
import type { WalRange } from '../../snapshot/manifest/manifest-parser.js'
import { type StrangeEntry, strangeEntries } from '../../snapshot/plain-tree.js'

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

/**
 * Looks at what pg_basebackup has written, before anything else touches it: the server says what that is, and pg_basebackup makes the
 * links that a server sends. Only files and directories may be there, and the links of the tablespaces, to where they were mapped.
 * What was written elsewhere, through other links, cannot be seen.
 * @throws {PgbkError} `damaged`.
 */
export async function checkCopied(
  { snapshot, data, tablespaces }: BackupLayout,
  facts: Pick<ServerFacts, 'tablespaces'>,
  { signal }: Context,
): Promise<void> {
  const mapped = new Map(
    facts.tablespaces
      .filter(isOutside)
      .map(({ oid }) => [`data/pg_tblspc/${oid}`, join(tablespaces, String(oid))]),
  )
  const [strange] = await strangeEntries(snapshot, { linkTarget: (name) => mapped.get(name), signal })
  if (!strange) return
  throw new PgbkError(
    'damaged',
    `the server sent ${strange.name.replace(/^data\//, '')} as ${strange.kind}`,
    {
      hint:
        spaceHint(strange) ??
        `A base backup has only files, directories and the links of tablespaces; this one is discarded. Has somebody put that link into the server's data directory? pgbk cannot see what pg_basebackup may have written through it, outside ${data}.`,
    },
  )
}

/** A tablespace that no catalogue told of has been written to its path on the server, where pg_basebackup could do that. */
function spaceHint({ name, kind, isLink }: StrangeEntry): string | undefined {
  if (!isLink || !/^data\/pg_tblspc\/\d+$/.test(name)) return undefined
  const target = kind.replace(/^a symbolic link to /, '')
  const written = existsSync(target)
    ? `pg_basebackup has written what is in it to ${target} on this machine: look there, and remove what is not yours.`
    : 'Nothing was written there.'
  return `No tablespace of the server has that oid, or it was made while the backup ran. ${written} The link in the server's pg_tblspc has to be removed if no tablespace uses it.`
}

/** Of each database that is not the remains of a DROP DATABASE: in which tablespace it is. */
const placesQuery = sql`SELECT pg_catalog.concat(oid, ' ', dattablespace) FROM pg_catalog.pg_database WHERE datconnlimit <> -2;`

/**
 * Whether every database has its directory in the copy. Only those count that were there before the copy began and still are, in the
 * same place: of all others, replay makes or removes the directories.
 * @param before the databases, as the server had them before.
 * @throws {PgbkError} `refused`, naming those that have not come.
 */
export async function checkDatabases(
  psql: Psql,
  { databases: before }: Pick<ServerFacts, 'databases'>,
  layout: BackupLayout,
): Promise<void> {
  const without = before.filter((database) => !isInvalid(database) && !isComplete(database, layout))
  if (without.length === 0) return
  // A DROP DATABASE that has removed the directory commits right after.
  await sleep(1000, undefined, { signal: psql.signal })
  const now = new Set((await query(psql, placesQuery)).trim().split('\n'))
  const lacking = without.filter(({ oid, tablespace }) => now.has(`${oid} ${tablespace}`))
  if (lacking.length === 0) return
  const named = lacking.map(({ name, oid }) => `${name} (base/${oid} or its like in its tablespace)`)
  throw new PgbkError('refused', `the directory of database ${named.join(', ')} was not sent`, {
    hint: "Look at it in the server's data directory. A symbolic link there has to become a directory again, or a tablespace. Where it is gone, or empty, its data is lost on the server itself: DROP DATABASE, then restore it from an older backup.",
  })
}

/** Without either file nobody can connect (InitPostgres in postinit.c, read_relmap_file in relmapper.c). */
function isComplete(database: DatabaseFacts, layout: BackupLayout): boolean {
  const directory = directoryOf(database, layout)
  return (
    directory !== undefined &&
    ['PG_VERSION', 'pg_filenode.map'].every((name) => existsSync(join(directory, name)))
  )
}

function directoryOf({ oid, tablespace }: DatabaseFacts, layout: BackupLayout): string | undefined {
  if (tablespace === defaultTablespace) return join(layout.data, 'base', String(oid))
  const space = join(layout.tablespaceLinks, String(tablespace))
  if (!existsSync(space)) return undefined
  const [version] = readdirSync(space).filter((name) => name.startsWith('PG_'))
  return version === undefined ? undefined : join(space, version, String(oid))
}
