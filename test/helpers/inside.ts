import type { MadeBackup } from './backup.js'
import { localRun } from './local-run.js'
import type { PgbkOptions } from './pgbk.js'
import { asUser } from './users.js'

/** SQL that lets the server run shell commands as a superuser of the data can, and returns what they print. */
export function sqlOf(commands: string): string {
  const quoted = `( ${commands} ) 2>&1 | tr '\\t\\\\' '  '`.replaceAll("'", "''")
  return `create temp table said (line text); copy said from program '${quoted}';
    select string_agg(line, chr(10)) from said`
}

/** What shell commands print that the server of a run on this backup runs. */
export async function saidInside(
  { root }: MadeBackup,
  commands: string,
  args: string[] = [],
  options: PgbkOptions = {},
): Promise<string> {
  const words = ['psql', '-XAtqc', sqlOf(commands)]
  const { status, stdout, stderr } = await localRun(root, [...args, '--', ...words], options)
  if (status !== 0) throw new Error(`the run ended with ${status}:\n${stderr}`)
  return stdout
}

/** What to put before a command so that it runs as a user who has nothing to do with the backups. Only for root. */
export const asStranger = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups']

/** What to put before a command so that it runs as the user of the backups. */
export const asOwner = asUser()
