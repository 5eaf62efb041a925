import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { resolveSource } from '../backup/source-place.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { shellWord } from '../shell-word.js'
import { withEnvironment } from './env.js'
import { type Config, parseConfig, type RawConfig } from './schema.js'

const fileNames = ['.pgbkrc', '.pgbkrc.yaml', '.pgbkrc.json']

export interface ConfigFlags {
  config?: string | undefined
  root?: string | undefined
}

/** The settings of one call, with an absolute root, and the file that they come from, if there is one. */
export type Settings = Config & { root: string; configFile?: string | undefined }

interface Found {
  file: string
  /** Whether it was found in a place that belongs to no root, and so has to name one. */
  general: boolean
}

/**
 * Reads the configuration: flags beat PGBK_* variables, those beat the file, the file beats the defaults. Only the first
 * file found counts; it is data, never code.
 * @throws {PgbkError} `config` for a file that cannot be read or trusted, and for all faults in it together.
 */
export async function loadConfig(flags: ConfigFlags, context: Context): Promise<Settings> {
  const found = findFile(flags, context)
  if (found) checkTrust(found.file, context)
  const fromFile = found ? await readFile(found.file) : {}
  if (found) resolveRoot(found, fromFile)
  const { value, faults } = parseConfig(withEnvironment(fromFile, context.env))
  if (faults) {
    throw new PgbkError(
      'config',
      `the configuration is not valid${found ? ` (${found.file}, PGBK_* variables)` : ' (PGBK_* variables)'}`,
      {
        hint: faults.map((fault) => `- ${fault}`).join('\n'),
      },
    )
  }
  const root = flags.root ?? value.root ?? defaultRoot(found)
  return { ...value, root: resolve(context.cwd, root), configFile: found?.file }
}

function findFile({ config }: ConfigFlags, { cwd, env, user }: Context): Found | undefined {
  const named = config ?? env.PGBK_CONFIG
  if (named) return { file: resolve(cwd, named), general: false }
  for (let directory = resolve(cwd); ; directory = dirname(directory)) {
    const file = firstIn(directory)
    if (file) return { file, general: false }
    if (directory === dirname(directory)) break
  }
  const xdg = env.XDG_CONFIG_HOME || join(env.HOME || user().home, '.config')
  const file = firstIn(join(xdg, 'pgbk')) ?? firstIn('/etc/pgbk')
  return file ? { file, general: true } : undefined
}

function firstIn(directory: string): string | undefined {
  return fileNames.map((name) => join(directory, name)).find((path) => existsSync(path))
}

/** Named by somebody who wants no configuration. */
const nothing = '/dev/null'

/** The file names programs to run: who can write it can run programs as the caller. */
function checkTrust(file: string, context: Context): void {
  const found = statOf(file)
  if (!found.isFile() && file !== nothing)
    throw new PgbkError('config', `${file} is no file`, { hint: 'Name another with --config.' })
  const { uid, mode } = found
  const caller = context.user().uid
  if (uid !== 0 && uid !== caller) {
    throw new PgbkError('config', `${file} belongs to another user (uid ${uid})`, {
      hint: 'A configuration names programs to run: it must belong to you or to root. Name another with --config.',
    })
  }
  if ((mode & 0o022) !== 0 && file !== nothing) {
    throw new PgbkError('config', `${file} can be written by others (mode ${(mode & 0o777).toString(8)})`, {
      hint: `A configuration names programs to run.\n  chmod go-w ${shellWord(file)}`,
    })
  }
}

function statOf(file: string) {
  try {
    return statSync(file)
  } catch (cause) {
    throw new PgbkError('config', `cannot read ${file}: ${systemCode(cause) ?? messageOf(cause)}`, { cause })
  }
}

/**
 * Only cosmiconfig's parsers are used: its explorer first looks for a configuration of its own in the current directory, which
 * may be code, and follows imports into files that nobody has checked. YAML contains JSON, so it is for every other name.
 */
async function readFile(file: string): Promise<RawConfig> {
  const { defaultLoaders } = await import('cosmiconfig')
  const parse = defaultLoaders[file.endsWith('.json') ? '.json' : '.yaml']
  try {
    const config: unknown = parse(file, readFileSync(file, 'utf8')) ?? {}
    if (typeof config === 'object' && config !== null && !Array.isArray(config)) return { ...config }
    throw new PgbkError('config', `${file} is not a list of keys and values`)
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    throw new PgbkError('config', `cannot read ${file}: ${messageOf(cause)}`, { cause })
  }
}

/** A relative root, or source, in a file is relative to that file. */
function resolveRoot({ file }: Found, raw: RawConfig): void {
  if (typeof raw.source === 'string' && raw.source) raw.source = resolveSource(raw.source, dirname(file))
  if (typeof raw.root === 'string' && raw.root) raw.root = resolve(dirname(file), raw.root)
}

function defaultRoot(found: Found | undefined): string {
  if (!found) return '.'
  if (!found.general) return dirname(found.file)
  throw new PgbkError('config', `${found.file} names no root`, {
    hint: 'A configuration in this place belongs to no directory: add the key root, or give -C.',
  })
}
