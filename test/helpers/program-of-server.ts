/** SQL by which a server runs a command of sh. It reads what it is given: COPY may fail where nobody does (EPIPE). */
export function serverRuns(command: string): string {
  return `copy (select 1) to program '${`cat >/dev/null; ${command}`.replaceAll("'", "''")}'`
}
