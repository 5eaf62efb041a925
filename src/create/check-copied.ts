import { join } from 'node:path'
import type { BackupLayout } from '../backup/layout.js'
import { strangeEntries } from '../backup/plain-tree.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { isOutside, type ServerFacts } from '../postgres/server-facts.js'

/**
 * Looks at what pg_basebackup has written, before anything else touches it: the server says what that is, and pg_basebackup makes the
 * links that a server sends. Only files and directories may be there, and the links of the tablespaces, to where they were mapped.
 * What was written elsewhere, through such links, cannot be seen.
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
      hint: `A base backup has files, directories and the links of tablespaces alone; it is not used. Is this link in the server's data directory of its own making? What pg_basebackup may have written through it, outside of ${data}, pgbk cannot see.`,
    },
  )
}
