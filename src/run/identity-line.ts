/** A line of a server's configuration file, by which pgbk knows that it talks to that server and to no other. */
export function identityLine(secret: string): string {
  return `pgbk.secret = '${secret}'\n`
}
