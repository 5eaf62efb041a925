import { dirname } from 'node:path'
import { localPath, type NamedStores, resolveSource } from '../catalog/source-place.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { trustOf } from '../system/paths/trusted-path.js'
import { withEnvironment } from './env.js'
import { type FoundConfigFile, findFile } from './find-file.js'
import { type Config, parseConfig, type RawConfig } from './schema.js'
import { readTrustedFile } from './trusted-file.js'

export interface ConfigFlags {
  config?: string | undefined
  root?: string | undefined
}

/** The settings of one call, with an absolute root, and the file that they come from, if there is one. */
export type Settings = Config & { root: string; configFile?: string | undefined }

/** What every story is told: the settings of the call, and the world that it works in. A command's `Call` is one. */
export interface Task {
  readonly settings: Settings
  readonly context: Context
}

/**
 * Reads the configuration: flags beat PGBK_* variables, those beat the file, the file beats the defaults. Only the first
 * file found counts; it is data, never code.
 * @throws {PgbkError} `config` for a file that cannot be read or trusted, and for all faults in it together.
 */
export async function loadConfig(flags: ConfigFlags, context: Context): Promise<Settings> {
  const trust = trustOf(context.user())
  const found = findFile(flags.config ?? context.env.PGBK_CONFIG, context, trust)
  const fromFile =
    found && found.file !== nothing ? await parseFile(found.file, readTrustedFile(found.file, trust)) : {}
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
  return { ...value, root: localPath(root, context.cwd), configFile: found?.file }
}

/** Named by somebody who wants no configuration. */
const nothing = '/dev/null'

/**
 * Only cosmiconfig's parsers are used: its explorer first looks for a configuration of its own in the current directory, which
 * may be code, and follows imports into files that nobody has checked. YAML contains JSON, so it is for every other name.
 */
async function parseFile(file: string, text: string): Promise<RawConfig> {
  const { defaultLoaders } = await import('cosmiconfig')
  const parse = defaultLoaders[file.endsWith('.json') ? '.json' : '.yaml']
  try {
    const config: unknown = parse(file, text) ?? {}
    if (typeof config === 'object' && config !== null && !Array.isArray(config)) return { ...config }
    throw new PgbkError('config', `${file} is not a list of keys and values`)
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    throw new PgbkError('config', `cannot read ${file}: ${messageOf(cause)}`, { cause })
  }
}

/** A relative root, source or store in a file is relative to that file. */
function resolveRoot({ file }: FoundConfigFile, raw: RawConfig): void {
  const stores = (raw.stores ?? {}) as NamedStores
  if (typeof raw.source === 'string' && raw.source)
    raw.source = resolveSource(raw.source, dirname(file), stores)
  if (typeof raw.stores === 'object') raw.stores = resolveStores(stores, dirname(file))
  if (typeof raw.root === 'string' && raw.root) raw.root = localPath(raw.root, dirname(file))
}

/** What is no store is left for the check to name. */
function resolveStores(stores: NamedStores, base: string): RawConfig {
  return Object.fromEntries(Object.entries(stores).map(([name, store]) => [name, resolveStore(store, base)]))
}

function resolveStore(store: unknown, base: string): unknown {
  if (typeof store !== 'object' || store === null) return store
  const { url, identity } = store as Record<string, unknown>
  const isGiven = (value: unknown) => typeof value === 'string' && value !== ''
  return {
    ...store,
    ...(isGiven(url) && { url: resolveSource(String(url), base, {}) }),
    ...(isGiven(identity) && { identity: localPath(String(identity), base) }),
  }
}

function defaultRoot(found: FoundConfigFile | undefined): string {
  if (!found) return '.'
  if (!found.general) return dirname(found.file)
  throw new PgbkError('config', `${found.file} names no root`, {
    hint: 'A configuration in this place belongs to no directory: add the key root, or give -C.',
  })
}
