import { closeSync, openSync, readSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import type { Context } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { namesIn } from '../../system/paths/names-in.js'
import { findInPath, isExecutable, searchPath } from '../../system/paths/search-path.js'
import { type Trust, trustOf } from '../../system/paths/trusted-path.js'
import { type ProgramOptions, runProgram } from '../../system/program/run-program.js'
import { installHint } from './install-hint.js'
import { untrustedPrograms } from './untrusted-programs.js'

/** One directory with PostgreSQL programs. */
export interface Installation {
  bin: string
  major: number
  /** As its programs say it: `15.18`. */
  version: string
}

/** Where Debian, RHEL, Homebrew and Postgres.app put each major; the star stands for one name. */
const usualPlaces = [
  '/usr/lib/postgresql/*/bin',
  '/usr/pgsql-*/bin',
  '/usr/local/pgsql/bin',
  '/opt/homebrew/opt/postgresql@*/bin',
  '/usr/local/opt/postgresql@*/bin',
  '/Applications/Postgres.app/Contents/Versions/*/bin',
]

/**
 * All installations: first `bin_dir`, if it is set, then those of PATH, of `pg_config` and of the usual places. Some have only
 * client programs, some only the server's.
 * @throws {PgbkError} `config` when bin_dir has no programs, or others could change them; the signal's reason when aborted.
 */
export async function findInstallations(
  binDir: string | undefined,
  { env, signal, user }: Pick<Context, 'env' | 'signal' | 'user'>,
): Promise<Installation[]> {
  const options = { env, signal }
  const trust = trustOf(user())
  if (binDir !== undefined) checkBinDir(binDir, trust)
  const before = [...(binDir === undefined ? [] : [binDir]), ...searchPath(env.PATH)]
  const after = usualPlaces.flatMap(expand)
  const [named, known] = await Promise.all([
    pgConfigPlace(options).then((places) => places.filter((bin) => !untrustedPrograms(bin, trust))),
    installationsAt(realPlaces([...before, ...after]), options),
  ])
  const places = realPlaces([...before, ...named, ...after])
  const further = await installationsAt(
    places.filter((bin) => !known.has(bin)),
    options,
  )
  return places.map((bin) => known.get(bin) ?? further.get(bin)).filter((one) => one !== undefined)
}

function checkBinDir(binDir: string, trust: Trust): void {
  const hint =
    'Correct bin_dir in the configuration (or PGBK_BIN_DIR), or remove it: then PATH and the usual places are searched.'
  if (!isAbsolute(binDir))
    throw new PgbkError('config', `bin_dir ${binDir} is not an absolute path`, { hint })
  if (markIn(binDir) === undefined)
    throw new PgbkError('config', `bin_dir ${binDir} has neither pg_basebackup nor postgres`, { hint })
  const fault = untrustedPrograms(binDir, trust)
  if (fault === undefined) return
  throw new PgbkError('config', `bin_dir ${binDir} cannot be trusted: ${fault.path} ${fault.reason}`, {
    hint: `${fault.remedy === undefined ? '' : `  ${fault.remedy}\n`}Programs that are run must belong to you or to root, as every directory above them, and nobody else may write there. ${hint}`,
  })
}

/** Programs are often linked from /usr/bin and its like; what belongs to them is where they really are. */
function realPlaces(directories: string[]): string[] {
  const programs = directories.filter((directory) => directory.startsWith('/')).map(markIn)
  return [
    ...new Set(
      programs.filter((program) => program !== undefined).map((program) => dirname(realpathSync(program))),
    ),
  ]
}

/**
 * The programs that can back up a server: those of its own major, else of the lowest newer one.
 * @throws {PgbkError} `programs-missing` when all are older.
 */
export function clientsFor(major: number, installations: Installation[]): Installation {
  const clients = withClients(installations).sort((a, b) => a.major - b.major)
  const chosen = clients.find((installation) => installation.major >= major)
  if (chosen) return chosen
  throw new PgbkError(
    'programs-missing',
    `the server is PostgreSQL ${major}, but the newest client programs here are those of ${clients.at(-1)?.major}`,
    {
      hint: `pg_basebackup refuses a server that is newer than itself. Install those of ${major}:\n${installHint(major)}`,
    },
  )
}

/** The newest psql: any of them can ask any server. @throws {PgbkError} `programs-missing` when there is none. */
export function newestPsql(installations: Installation[]): string {
  const newest = withClients(installations).sort((a, b) => b.major - a.major)[0]
  if (newest) return join(newest.bin, 'psql')
  throw new PgbkError(
    'programs-missing',
    "PostgreSQL's client programs (psql, pg_basebackup) are not installed",
    {
      hint: `${installHint()}\nOr name their directory: bin_dir in .pgbkrc.yaml, or PGBK_BIN_DIR.`,
    },
  )
}

function withClients(installations: Installation[]): Installation[] {
  return installations.filter(({ bin }) =>
    ['psql', 'pg_basebackup'].every((program) => isProgram(join(bin, program))),
  )
}

/** The path of a program of exactly this major, or undefined where it is not installed. */
export function programOf(major: number, program: string, installations: Installation[]): string | undefined {
  return installations
    .filter((installation) => installation.major === major)
    .map((installation) => join(installation.bin, program))
    .find(isExecutable)
}

/** One shell asks them all: it starts programs in a third of the time that Node takes. */
const askVersions = `for program; do "$program" --version; printf '\\0'; done`

async function installationsAt(
  bins: string[],
  options: ProgramOptions,
): Promise<Map<string, Installation | undefined>> {
  if (bins.length === 0) return new Map()
  const programs = bins.map((bin) => markIn(bin) ?? bin)
  const { stdout } = await runProgram('/bin/sh', ['-c', askVersions, 'sh', ...programs], options)
  const answers = stdout.split('\0')
  return new Map(bins.map((bin, index) => [bin, installationOf(bin, answers[index] ?? '')]))
}

function installationOf(bin: string, answer: string): Installation | undefined {
  const version = /\(PostgreSQL\) (\d+[^\s]*)/.exec(answer)?.[1]
  return version === undefined ? undefined : { bin, version, major: Number.parseInt(version, 10) }
}

/** Debian's /usr/bin/pg_config is a script that knows only the usual places of Debian. */
async function pgConfigPlace(options: ProgramOptions): Promise<string[]> {
  const found = findInPath('pg_config', options.env?.PATH)
  if (found === undefined || isScript(found)) return []
  try {
    const { status, stdout } = await runProgram(found, ['--bindir'], options)
    return status === 0 ? [stdout.trim()] : []
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'programs-missing') return []
    options.signal?.throwIfAborted()
    throw new PgbkError('failed', `cannot ask pg_config for its bindir: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function expand(pattern: string): string[] {
  const [before = '', after] = pattern.split('*')
  if (after === undefined) return [pattern]
  const parent = before.slice(0, before.lastIndexOf('/'))
  const prefix = before.slice(parent.length + 1)
  return namesIn(parent, 'EACCES')
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(parent, `${name}${after}`))
}

/** A program by which a directory of PostgreSQL programs is known. */
function markIn(directory: string): string | undefined {
  return ['pg_basebackup', 'postgres'].map((program) => join(directory, program)).find(isProgram)
}

/** Debian's /usr/bin/psql is pg_wrapper, which chooses a major by rules of its own: not wanted here. */
function isProgram(path: string): boolean {
  return isExecutable(path) && basename(realpathSync(path)) !== 'pg_wrapper'
}

function isScript(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const start = Buffer.alloc(2)
    readSync(file, start)
    return start.toString() === '#!'
  } finally {
    closeSync(file)
  }
}
