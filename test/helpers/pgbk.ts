import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { Ended } from './programs.js'
import { asUser, isRoot } from './users.js'

/** Ends a pgbk of root's that touches files as root. */
const rootGuard = new URL('root-guard.mjs', import.meta.url).href

export const program = fileURLToPath(new URL('../../bin/pgbk.js', import.meta.url))

export interface PgbkOptions {
  env?: Record<string, string>
  cwd?: string
  /** Run it as root where the tests are run by root; else it runs as the ordinary user. */
  asRoot?: boolean
}

/** Runs the built program as a person would, with an environment that knows nothing of the caller's PostgreSQL. */
export async function runPgbk(args: string[], options: PgbkOptions = {}): Promise<Ended> {
  const result = await startPgbk(args, options)
  return { status: result.exitCode, stdout: String(result.stdout), stderr: String(result.stderr) }
}

/** Starts the built program, for tests that send it signals. */
export function startPgbk(args: string[], { env = {}, cwd = '/', asRoot = false }: PgbkOptions = {}) {
  const guard = asRoot && isRoot ? ['--import', rootGuard] : []
  const [file = '', ...rest] = [...(asRoot ? [] : asUser()), process.execPath, ...guard, program, ...args]
  return execa(file, rest, {
    cwd,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  })
}
