import { types } from 'node:util'

/** What a server says of something that failed, in an answer or in its log: in English, as pgbk's sessions and runs are told to. */
export interface ServerWords {
  /** Undefined where a log does not show it. */
  sqlstate?: string | undefined
  message: string
  detail?: string | undefined
  hint?: string | undefined
}

/** The words that an error passes on: its own, or those of what has caused it. */
export function wordsOf(error: unknown): ServerWords | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, sqlstate = code, message, detail, hint, cause } = error as Record<string, unknown>
  if (!isSqlstate(sqlstate) && types.isNativeError(error)) return wordsOf(cause)
  if (typeof message !== 'string') return undefined
  return {
    message,
    sqlstate: isSqlstate(sqlstate) ? sqlstate : undefined,
    detail: typeof detail === 'string' ? detail : undefined,
    hint: typeof hint === 'string' ? hint : undefined,
  }
}

/** EPERM and the like of the system have five characters too, but no digit. */
function isSqlstate(code: unknown): code is string {
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code)
}

/** lock_not_available: lock_timeout has passed. */
export const lockNotAvailable = '55P03'

/** All of them in one line. */
export function wordsText({ message, detail, hint }: ServerWords): string {
  const more = [detail, hint].filter(Boolean).join('; ')
  return `${message}${more && ` (${more})`}`.replaceAll(/\s+/g, ' ').slice(0, mostCharacters)
}

/** A message may quote what the data holds. */
const mostCharacters = 1000

/**
 * Whether a server's words name damage of its data. Nothing else does: what is not there (a library, a locale, memory, a role) is
 * told with other codes. Where PostgreSQL gives a failure no code of its own (XX000), or the system's, only its text tells.
 */
export function namesDamage({ sqlstate, message, detail = '' }: ServerWords): boolean {
  if (sqlstate === 'XX001' || sqlstate === 'XX002') return true
  const text = `${message}\n${detail}`
  if (sqlstate !== undefined && !withoutOwnCode.has(sqlstate)) return false
  if (ofAnotherFile.test(message)) return false
  return corruptions.test(text) || (unreadable.test(text) && ofData.test(text))
}

/**
 * What errcode_for_file_access() makes of ENOENT and EIO, and of all that it does not know (src/backend/utils/error/elog.c); what a
 * database gets that has no directory, or one without PG_VERSION (postinit.c, miscinit.c); and `data_corrupted` of pg_control.
 */
const withoutOwnCode = new Set(['XX000', '58P01', '58030', '58000', '3D000', '22023', '55000'])

/**
 * Whether a server's words say that this machine, or the run, lacks something: a library, or that it is preloaded (each library that
 * needs it says so in words of its own), a locale, a time zone, memory or room.
 */
export function namesLack({ sqlstate = '', message, hint = '' }: ServerWords): boolean {
  if (/^53/.test(sqlstate) || ofAnotherFile.test(message)) return true
  return lacks.test(`${message}\n${hint}`)
}

const lacks =
  /shared_preload_libraries|session_preload_libraries|must be preloaded|could not create locale|time zone ".*" not recognized/

/** dfmgr.c, of libraries. */
const ofAnotherFile = /^(?:could not access file|could not load library|incompatible library)/

const unreadable = /could not (?:open|read|seek|stat|access|find)|read too few|read only|is missing|is empty/i

/** Files of a cluster, as PostgreSQL names them: below its data directory, where it works. */
const ofData =
  /"(?:\.\/)?(?:(?:base|global|pg_(?:xact|multixact|subtrans|commit_ts|tblspc|wal|twophase|logical|replslot))\/[^"]*|backup_label|PG_VERSION)"/

/** In the order of bufmgr.c and md.c, xlog.c and xlogrecovery.c, relmapper.c, the caches and toast. */
const corruptions = new RegExp(
  [
    'invalid page in block',
    'could not read block',
    'unexpected data beyond EOF',
    'unexpected zero page',
    'could not access status of transaction',
    'could not locate a valid checkpoint record',
    'could not locate required checkpoint record',
    'invalid (?:primary |secondary )?checkpoint',
    'could not find redo location',
    'WAL contains references to invalid pages',
    'WAL ends before',
    'requested timeline \\d+ (?:is not a child|does not contain)',
    'xlog flush request .* is not satisfied',
    'incorrect checksum in control file',
    'control file contains invalid',
    'invalid data in (?:file|history file)',
    'relation mapping file .* (?:contains|has)',
    'database subdirectory "[^"]*" is missing',
    '"(?:base|pg_tblspc)/[^"]*" is not a valid data directory',
    'cache lookup failed for',
    'could not open relation with OID',
    'could not find (?:attribute|tuple|entry|pg_\\w+)',
    'pg_attribute catalog is missing|catalog is missing \\d+ attribute',
    'missing chunk number',
    'unexpected chunk',
    'invalid memory alloc request size',
    '\\bcorrupt(?:ed|ion)?\\b',
  ].join('|'),
  'i',
)
