import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { isOutside, type ServerFacts } from '../../postgres/server/server-facts.js'
import { type StrangeEntry, strangeEntries } from '../../snapshot/plain-tree.js'

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
