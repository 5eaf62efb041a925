import type { SqlClient } from '../postgres/sql-client.js'

/** A line of a server's configuration file, by which pgbk knows that it talks to that server and to no other. */
export function identityLine(secret: string): string {
  return `pgbk.secret = '${secret}'\n`
}

/** Whether a server is the one whose configuration has that line. To be asked before anything is changed, or any secret is sent. */
export async function hasIdentity(client: SqlClient, secret: string): Promise<boolean> {
  const rows = await client.run("SELECT pg_catalog.current_setting('pgbk.secret', true) AS secret")
  return rows[0]?.secret === secret
}

/** Shell commands that put the line into the configuration of a working copy; what may be a link is not written through. */
export const identitySetUp = `
[ -f snapshot/conf/postgresql.conf ] && [ ! -L snapshot/conf ] && [ ! -L snapshot/conf/postgresql.conf ] || exit 70
cat identity.conf >>snapshot/conf/postgresql.conf || exit 70
`
