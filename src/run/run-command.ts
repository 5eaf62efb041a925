import { accessSync, constants } from 'node:fs'
import type { Context, Environment } from '../context.js'
import { PgbkError } from '../errors.js'
import { runForeground } from '../system/program/run-foreground.js'
import { isRaw } from '../text/raw-text.js'
import { endedByItself, hasGone } from './identity.js'
import type { Run } from './start-run.js'

/**
 * Runs COMMAND, which is led to a run, in the foreground.
 * @param bin the directory of the run's PostgreSQL programs, which COMMAND finds first.
 * @returns its exit status.
 * @throws {PgbkError} as `runForeground`; `failed` when the server of the run has ended meanwhile.
 */
export async function runCommand(words: string[], run: Run, bin: string, context: Context): Promise<number> {
  const [file = '', ...args] = words
  const { env, signal, urgent, umask } = context
  const variables = commandVariables(run)
  const place = { kind: 'command', env, umask, programs: bin, cwd: enterable(context) } as const
  context.progress.end()
  const status = await runForeground(file, args, { ...place, variables, signal, urgent })
  if (await hasGone(run, context)) throw endedByItself(run)
  return status
}

/** Root's home directory is closed to the user whom root has become. */
function enterable({ cwd, user, progress }: Context): string {
  try {
    accessSync(cwd, constants.X_OK)
    return cwd
  } catch {
    progress.say(`user ${user().name}, as whom COMMAND runs, cannot enter ${cwd}: it starts in /`)
    return '/'
  }
}

/**
 * What leads a COMMAND to the server of a run. libpq is led to the private socket, where nobody can answer in the server's place;
 * DATABASE_URL is for programs that know TCP only.
 * @throws {PgbkError} `failed` for a database that has a raw name.
 */
function commandVariables(run: Run): Environment {
  if (isRaw(run.database))
    throw new PgbkError(
      'failed',
      'the name of that database cannot be passed to a COMMAND: it is not UTF-8',
      {
        hint: 'Leave the COMMAND out and connect by the URL that is shown then, or choose another one with --database.',
      },
    )
  return {
    PGHOST: run.directory.sockets,
    PGPORT: String(run.port),
    PGUSER: run.role,
    PGDATABASE: run.database,
    ...(run.password === undefined ? {} : { PGPASSWORD: run.password }),
    DATABASE_URL: run.url,
  }
}
