import type { Environment } from '../context.js'
import type { RawConfig } from './schema.js'

/** The keys that the environment can set: PGBK_ROOT, PGBK_CREATE_MAX_RATE ... */
const variables: Record<string, [string, string?]> = {
  PGBK_ROOT: ['root'],
  PGBK_CONNECTION: ['connection'],
  PGBK_SOURCE: ['source'],
  PGBK_BIN_DIR: ['bin_dir'],
  PGBK_RUN_AS: ['run_as'],
  PGBK_TIME_ZONE: ['time_zone'],
  PGBK_CREATE_CHECKPOINT: ['create', 'checkpoint'],
  PGBK_CREATE_MAX_RATE: ['create', 'max_rate'],
  PGBK_CREATE_WIRE: ['create', 'wire'],
  PGBK_CREATE_VERIFY: ['create', 'verify'],
  PGBK_CREATE_THIN: ['create', 'thin'],
  PGBK_CREATE_INDEPENDENT_EVERY: ['create', 'independent_every'],
  PGBK_CREATE_FORM: ['create', 'form'],
  PGBK_RUN_WORKING_COPY: ['run', 'working_copy'],
  PGBK_RUN_SANDBOX: ['run', 'sandbox'],
  PGBK_RUN_CACHE_SIZE: ['run', 'cache_size'],
  PGBK_RETENTION_DAILY: ['retention', 'daily'],
  PGBK_RETENTION_WEEKLY: ['retention', 'weekly'],
  PGBK_RETENTION_MONTHLY: ['retention', 'monthly'],
  PGBK_RETENTION_ON_DEMAND: ['retention', 'on_demand'],
  PGBK_RETENTION_MIN: ['retention', 'min'],
  PGBK_RETENTION_WINDOW: ['retention', 'window'],
  PGBK_RETENTION_WAL: ['retention', 'wal'],
  PGBK_RETENTION_PACK_AFTER: ['retention', 'pack_after'],
  PGBK_WAL_SLOT: ['wal', 'slot'],
  PGBK_WAL_COMPRESS: ['wal', 'compress'],
  PGBK_HOOKS_ON_SUCCESS: ['hooks', 'on_success'],
  PGBK_HOOKS_ON_FAILURE: ['hooks', 'on_failure'],
  PGBK_HOOKS_ON_WARNING: ['hooks', 'on_warning'],
}

/** Lays the environment's values over those of a file; an empty variable counts as unset. */
export function withEnvironment(raw: RawConfig, env: Environment): RawConfig {
  const merged: RawConfig = { ...raw }
  for (const [variable, [key, inner]] of Object.entries(variables)) {
    const value = env[variable]
    if (!value) continue
    if (inner === undefined) merged[key] = value
    else merged[key] = { ...(merged[key] as object | undefined), [inner]: typed(value, `${key}.${inner}`) }
  }
  return merged
}

const wholeNumbers = /^(retention\.(daily|weekly|monthly|on_demand|min)|create\.independent_every)$/

/** Variables are texts; what cannot be read as its key's type is left as it is, for the schema to name. */
function typed(value: string, path: string): string | number | boolean {
  if (path === 'create.verify' && /^(true|false)$/.test(value)) return value === 'true'
  return wholeNumbers.test(path) && /^\d+$/.test(value) ? Number(value) : value
}
