import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type PgbkOptions, runPgbk, startPgbk } from './pgbk.js'
import { aDirectory } from './places.js'
import { anyMajor, binOf, type Ended, run } from './programs.js'
import { pidsIn } from './servers-in.js'
import { until } from './traces.js'

/** Who may start a run in these tests. */
export { users } from './users.js'

/** The cache of all runs of one test file. */
export const cache = aDirectory('pgbk-cache-')

const inCache = (options: PgbkOptions): PgbkOptions => ({
  ...options,
  env: { HOME: cache, XDG_CACHE_HOME: cache, ...options.env },
})

/** `pgbk local-run` on a root, to its end. */
export function localRun(root: string, args: string[], options: PgbkOptions = {}): Promise<Ended> {
  return runPgbk(['local-run', '-C', root, ...args], inCache(options))
}

/** Starts `pgbk local-run` on a root. */
export function startLocalRun(root: string, args: string[], options: PgbkOptions = {}) {
  return startPgbk(['local-run', '-C', root, ...args], inCache(options))
}

/** The error that a local-run gives as JSON; one that becomes ready instead is stopped. */
export async function failureOf(root: string, args: string[], options: PgbkOptions = {}) {
  const interruptWhen = (printed: string) => printed.endsWith('}') && !printed.includes('"error"')
  const { status, stdout } = await localRun(root, ['--json', ...args], { ...options, interruptWhen })
  const { error } = JSON.parse(stdout)
  return { status, code: error?.code, message: String(error?.message), hint: String(error?.hint) }
}

export interface ReadyRun {
  child: ReturnType<typeof startPgbk>
  name: string
  directory: string
  /** Of its socket. */
  sockets: string
  port: number
  url: string
  /** How far it is shut off. */
  sandbox: string
  /** Of its server. */
  pid: number
  copy: string
  sql(statement: string, database?: string): Promise<string>
  /** Ctrl-C, and what it ended with. */
  stop(): Promise<number | undefined>
}

/** A local-run without COMMAND, when it is ready. */
export async function aReadyRun(
  root: string,
  args: string[] = [],
  options: PgbkOptions = {},
): Promise<ReadyRun> {
  const child = startLocalRun(root, ['--json', ...args], options)
  let printed = ''
  child.stdout?.on('data', (chunk) => {
    printed += chunk
  })
  await until('the run is ready', () => printed.endsWith('}\n') || child.exitCode !== null)
  const parsed = JSON.parse(printed).run
  if (parsed === undefined) throw new Error(printed)
  const {
    name,
    directory,
    port,
    pid,
    role,
    working_copy: copy,
    url,
    sandbox,
    socket_directory: sockets,
  } = parsed
  const connect = ['-h', sockets, '-p', String(port), '-U', role]
  return {
    ...{ child, name, directory, sockets, port, pid, copy, url, sandbox },
    sql: async (statement, database = 'app') =>
      (await run([`${binOf(anyMajor)}/psql`, '-XAtqc', statement, ...connect, database])).stdout,
    stop: async () => {
      child.kill('SIGINT')
      return (await child).exitCode
    },
  }
}

/** What runs could leave behind. */
export interface Remains {
  directories: string[]
  processes: string[]
  sockets: string[]
  mounts: string[]
}

export const nothing: Remains = { directories: [], processes: [], sockets: [], mounts: [] }

/** What the runs of a root have left behind; `place` is where its runs are when not in `data/run`. */
export function remainsOf(root: string, place = join(root, 'data/run')): Remains {
  return {
    directories: namesIn(place),
    processes: pidsIn(place).map((pid) => `${pid} ${textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`),
    sockets: namesIn('/tmp')
      .filter((name) => /^pgbk-\w{6}$/.test(name))
      .flatMap((name) => namesIn(`/tmp/${name}`).map((one) => `/tmp/${name}/${one}`))
      .filter((path) => path.endsWith('.lock') && textOf(path).includes(`${place}/`)),
    mounts: textOf('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => line.includes(`${place}/`)),
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function _linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
