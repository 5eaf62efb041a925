import { execa } from 'execa'
import { program, startPgbk } from './pgbk.js'
import { aServer, type ServerOptions, type TestServer } from './server.js'
import { until } from './traces.js'
import { asUser } from './users.js'

/** A server with a table of about so many megabytes. */
export async function aServerOf(megabytes: number, options: ServerOptions): Promise<TestServer> {
  const server = await aServer(options)
  await grow(server, megabytes)
  return server
}

/** Adds a table of about so many megabytes; five rows fill a page. */
export async function grow(server: TestServer, megabytes: number, table = 'bulk'): Promise<void> {
  await server.sql(
    `create table ${table} as select n, repeat('x', 1500) as filler from generate_series(1, ${megabytes * 640}) n;`,
  )
}

export type RunningPgbk = ReturnType<typeof startPgbk>

/** Starts a create that goes on for many seconds. */
export function startSlowCreate(
  server: TestServer,
  root: string,
  args: string[] = [],
  env: Record<string, string> = server.env,
): RunningPgbk {
  return startPgbk(['create', '-C', root, '--max-rate', '5M', ...args], { env })
}

/** Waits until a create of pgbk has begun to copy, with its second connection for the WAL. */
export async function untilItCopies(server: TestServer): Promise<void> {
  await until('the server streams files and WAL', async () => {
    const answer = await server.sql(`
      select count(*) from pg_stat_progress_basebackup join pg_stat_activity using (pid)
        where backup_streamed > 0 and application_name like 'pgbk%';
      select count(*) from pg_replication_slots join pg_stat_activity on active_pid = pid
        where application_name like 'pgbk%';`)
    return answer === '1\n1'
  })
}

/** A create as the leader of a process group of its own, as a shell starts it on a terminal. */
export function startInItsOwnGroup(args: string[], env: Record<string, string>): RunningPgbk {
  const [file = '', ...rest] = [...asUser(), process.execPath, program, ...args]
  return execa(file, rest, {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    forceKillAfterDelay: false,
    detached: true,
  }) as RunningPgbk
}

/** What Ctrl-C does on a terminal: SIGINT for the whole process group in the foreground, if there is still one. */
export function pressCtrlC(child: RunningPgbk): void {
  try {
    process.kill(-(child.pid as number), 'SIGINT')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
