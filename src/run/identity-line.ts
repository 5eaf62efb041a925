/** A line of a server's configuration file, by which pgbk knows that it talks to that server and to no other. */
export function identityLine(secret: string): string {
  return `pgbk.secret = '${secret}'\n`
}

/** Shell commands that put the line into the configuration of a working copy; what may be a link is not written through. */
export const identitySetUp = `
[ -f snapshot/conf/postgresql.conf ] && [ ! -L snapshot/conf ] && [ ! -L snapshot/conf/postgresql.conf ] || exit 70
cat identity.conf >>snapshot/conf/postgresql.conf || exit 70
`
