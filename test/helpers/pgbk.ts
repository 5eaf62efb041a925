import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type PgbkHost, startPgbkHost } from './pgbk-host.js'
import type { Ended } from './programs.js'
import { isRoot, ordinaryIds } from './users.js'

/** Ends a pgbk of root's that touches files as root. */
const rootGuard = new URL('root-guard.mjs', import.meta.url).href

export const program = fileURLToPath(new URL('../../bin/pgbk.js', import.meta.url))

/** The same, whose receiver looks again after a fraction of the time. */
export const impatientProgram = fileURLToPath(new URL('../tools/impatient-pgbk.js', import.meta.url))

const usualPath = '/usr/local/bin:/usr/bin:/bin'

export interface PgbkOptions {
  env?: Record<string, string>
  cwd?: string
  /** Run it as root where the tests are run by root; else it runs as the ordinary user. */
  asRoot?: boolean
  /** In a process of its own, which somebody looks at. */
  alone?: boolean
  /** Presses Ctrl-C once it has printed this to stdout; without the last line feed. */
  interruptWhen?(printed: string): boolean
}

/**
 * Runs the built program as a person would, with an environment that knows nothing of the caller's PostgreSQL: in a process that has
 * carried out other command lines before, unless it is root's or its environment is that of its process.
 */
export async function runPgbk(args: string[], options: PgbkOptions = {}): Promise<Ended> {
  const { env = {}, cwd = '/', interruptWhen } = options
  if (canBeHosted(args, options))
    return await idleHost().run({ args, env: { PATH: usualPath, ...env }, cwd, interruptWhen })
  const child = startPgbk(args, options)
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
    if (interruptWhen?.(printed.trimEnd())) child.kill('SIGINT')
  })
  const result = await child
  return { status: result.exitCode, stdout: String(result.stdout), stderr: String(result.stderr) }
}

const hosts: PgbkHost[] = []

/** As many as there ever were command lines at the same time. */
function idleHost(): PgbkHost {
  const idle = hosts.find((host) => host.isAlive() && !host.isBusy())
  if (idle) return idle
  const another = startPgbkHost()
  hosts.push(another)
  return another
}

function canBeHosted(args: string[], { env = {}, asRoot, alone }: PgbkOptions): boolean {
  if (alone || (asRoot && isRoot) || args.some((one) => one.includes('\0'))) return false
  return !Object.keys(env).some((name) => /^(NODE_|LD_|FAKE|TZ$|LANG$|LC_)/.test(name))
}

/** Starts the built program, for tests that send it signals. */
export function startPgbk(
  args: string[],
  { env = {}, cwd = '/', asRoot = false }: PgbkOptions = {},
  script = program,
) {
  const guard = asRoot && isRoot ? ['--import', rootGuard] : []
  return execa(process.execPath, [...guard, script, ...args], {
    ...(asRoot ? {} : ordinaryIds),
    cwd,
    env: { PATH: usualPath, ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    forceKillAfterDelay: false,
  })
}
