import { formsAtFirst } from '../../wal-segments/segment-forms.js'
import { type querySettings, restoreCommand } from './conf.js'
import { isOrdinaryCustomName } from './custom-settings.js'
import { recoveryMinimums } from './minimums.js'

/** What every configuration that pgbk has ever written for a snapshot says in the same words, from PostgreSQL 13 on. */
const fixed: Readonly<Record<string, string>> = {
  data_directory: 'data',
  listen_addresses: 'localhost',
  unix_socket_directories: '/tmp',
  unix_socket_permissions: '0700',
  shared_buffers: '128MB',
  huge_pages: 'try',
  shared_preload_libraries: '',
  session_preload_libraries: '',
  local_preload_libraries: '',
  archive_mode: 'off',
  archive_command: '',
  primary_conninfo: '',
  primary_slot_name: '',
  max_logical_replication_workers: '0',
  hot_standby: 'on',
}

/** A power of two from 1 MB to 1 GB (IsValidWalSegSize() in src/include/access/xlog_internal.h). */
const segmentSizes = Array.from({ length: 11 }, (_, power) => 2 ** (20 + power))

/** The commands that pgbk has written so far: what a snapshot runs when somebody puts a recovery.signal into it. */
const restoreCommands = new Set([
  ...segmentSizes.flatMap((segmentSize) => [
    restoreCommand('../../wal', { segmentSize }),
    restoreCommand('../../wal', { segmentSize, forms: formsAtFirst }),
  ]),
  'd=../../wal; for f in "$d/%f" "$d/%f.gz"; do if [ -f "$f" ]; then case "$f" in *.gz) gzip -dc < "$f" > "%p";; *) cp "$f" "%p";; esac && exit 0; if [ -f "$f" ]; then exit 126; fi; fi; done; exit 1',
  'if [ -f ../../wal/"%f" ]; then cp ../../wal/"%f" "%p" || exit 126; elif [ -f ../../wal/"%f".gz ]; then gzip -dc < ../../wal/"%f".gz > "%p" || exit 126; else exit 1; fi',
  'if [ -f "../../wal/%f" ]; then cp "../../wal/%f" "%p" || exit 126; elif [ -f "../../wal/%f.gz" ]; then gzip -dc < "../../wal/%f.gz" > "%p" || exit 126; else exit 1; fi',
])

const boolean = /^(on|off)$/
const size = /^\d{1,7}MB$/
/** No control characters of ASCII: a value is text when it is written, and its bytes (latin1) when it is read, and both must pass. */
const withoutControls = /^[ -~\x80-\uffff]*$/
const byPattern: Readonly<Record<string, RegExp>> = {
  cluster_name: /^pgbk \d{8}T\d{6}Z$/,
  archive_library: /^$/,
  allow_in_place_tablespaces: boolean,
  min_wal_size: size,
  max_wal_size: size,
  ...Object.fromEntries(recoveryMinimums.map((name) => [name, /^\d{1,10}$/])),
  track_commit_timestamp: boolean,
}

/** The forms in which a server tells its values. */
const ofQueries: Readonly<Record<(typeof querySettings)[number], RegExp>> = {
  TimeZone: withoutControls,
  DateStyle: /^\w+(, *\w+)*$/,
  IntervalStyle: /^(postgres|postgres_verbose|sql_standard|iso_8601)$/,
  bytea_output: /^(hex|escape)$/,
  client_encoding: /^[\w-]+$/,
  default_text_search_config: withoutControls,
  default_transaction_isolation: /^(serializable|repeatable read|read committed|read uncommitted)$/,
  array_nulls: boolean,
  backslash_quote: /^(safe_encoding|on|off)$/,
  extra_float_digits: /^(-?\d|-1[0-5])$/,
  lo_compat_privileges: boolean,
  quote_all_identifiers: boolean,
  row_security: boolean,
  // A name in it may have any character.
  search_path: /^/,
  standard_conforming_strings: boolean,
  transform_null_equals: boolean,
  xmlbinary: /^(base64|hex)$/,
  xmloption: /^(content|document)$/,
}

const patterns = new Map([
  ...Object.entries(byPattern),
  ...Object.entries(ofQueries).map(([name, pattern]) => [name.toLowerCase(), pattern] as const),
])

/** What every snapshot's configuration has to say. */
export const neededNames = [...Object.keys(fixed), 'restore_command']

/**
 * What is wrong with a setting in the configuration of a snapshot, which has nothing but what pgbk writes.
 * @param name in small letters.
 * @returns a few words behind the name; undefined when nothing is.
 */
export function settingProblem(name: string, value: string): string | undefined {
  if (name.includes('.')) return isOrdinaryCustomName(name) ? undefined : 'is not the name of a setting'
  const wanted = fixed[name]
  if (wanted !== undefined) return value === wanted ? undefined : `is not ${wanted === '' ? 'empty' : wanted}`
  if (name === 'restore_command')
    return restoreCommands.has(value) ? undefined : 'is not the command that pgbk writes'
  const pattern = patterns.get(name)
  if (!pattern) return 'does not belong there'
  return pattern.test(value) ? undefined : 'has a value that no server gives it'
}

/** A server's values without those that a snapshot's configuration cannot have: a fork may know others. */
export function knownValues(settings: Readonly<Record<string, string>>): Record<string, string> {
  const all = Object.entries(settings)
  return Object.fromEntries(
    all.filter(([name, value]) => settingProblem(name.toLowerCase(), value) === undefined),
  )
}
