import { join, relative, resolve } from 'node:path'
import { confLiteral } from '../backup/conf.js'
import type { BackupRecord } from '../backup/record.js'
import { confLines } from '../backup/recovery-conf.js'

/** What a copy of a server's configuration says that only holds where it came from. */
const places = ['data_directory', 'hba_file', 'ident_file', 'external_pid_file', 'config_file']

/** One file of the server's configuration on its way into a data directory. */
export interface AdaptedFile {
  text: string
  /** What was changed or will be missing, in plain words. */
  notes: string[]
}

/**
 * The text of one of the server's configuration files, made to work in a data directory: what names the old places is taken
 * out, and included files are looked for beside it.
 * @param copies where the files of the old places are now, relative to the data directory.
 * @param from the path that the file had on the server.
 */
export function adaptConf(text: string, from: string, copies: ReadonlyMap<string, string>): AdaptedFile {
  const notes: string[] = []
  const lines = text.split('\n').map((line) => {
    const [, name = ''] = /^\s*(\w+)/.exec(line) ?? []
    if (places.includes(name.toLowerCase())) return `#${line}    # pgbk restore: named a place on the server`
    const include = /^\s*(include|include_if_exists|include_dir)\s*=?\s*'((?:[^']|'')*)'/i.exec(line)
    return include ? adaptInclude(line, include, from, copies, notes) : line
  })
  return { text: lines.join('\n'), notes }
}

function adaptInclude(
  line: string,
  [, kind = '', quoted = '']: RegExpExecArray,
  from: string,
  copies: ReadonlyMap<string, string>,
  notes: string[],
): string {
  const there = resolve(from, '..', quoted.replaceAll("''", "'"))
  const copy = kind.toLowerCase() === 'include_dir' ? directoryCopy(there, copies) : copies.get(there)
  const here = copies.get(from)
  if (copy !== undefined && here !== undefined)
    return `${kind} ${confLiteral(relative(join(here, '..'), copy))}`
  if (kind.toLowerCase() === 'include_if_exists') return line
  notes.push(`${there}, which ${from} includes, is not in the backup`)
  return `#${line}    # pgbk restore: not in the backup`
}

/** A directory that had nothing in it cannot be told from one that was not read. */
function directoryCopy(directory: string, copies: ReadonlyMap<string, string>): string | undefined {
  const found = [...copies].find(([path]) => path.startsWith(`${directory}/`))
  return found && join(found[1], relative(found[0], directory))
}

/** What keeps a restored server from harming the one it came from. */
export interface SwitchedOff {
  settings: Record<string, string>
  /** In plain words, for the plan and the end. */
  reasons: string[]
}

/** Libraries that do something by themselves as soon as a server has loaded them. */
const schedulers = new Set([
  'pg_cron',
  'pg_partman_bgw',
  'pg_timetable',
  'pglogical',
  'timescaledb',
  'citus',
  'pg_squeeze',
  'bdr',
  'powa',
  'pg_net',
  'pgl_ddl_deploy',
  'wal2mongo',
])

/** The settings of the marked block. */
export function switchedOff(record: BackupRecord): SwitchedOff {
  const libraries = record.preload_libraries ?? []
  const jobs = libraries.filter((name) => schedulers.has(name.replace(/^.*\//, '')))
  const kept = libraries.filter((name) => !jobs.includes(name))
  const list = kept.map((name) => (/^[\w$/.-]+$/.test(name) ? name : `"${name}"`)).join(', ')
  return {
    settings: {
      archive_mode: 'off',
      archive_command: '',
      ...(record.server.version_num >= 150_000 ? { archive_library: '' } : {}),
      primary_conninfo: '',
      primary_slot_name: '',
      max_logical_replication_workers: '0',
      ...(jobs.length > 0 ? { shared_preload_libraries: list } : {}),
    },
    reasons: [
      'archiving (archive_mode, archive_command): it would write into the archive of the server',
      'replication from another server (primary_conninfo, primary_slot_name)',
      'subscriptions of logical replication (max_logical_replication_workers): they would take over the slots of the server',
      ...(jobs.length > 0
        ? [`libraries that start jobs (shared_preload_libraries): ${jobs.join(', ')}`]
        : []),
      ...(record.preload_libraries === null
        ? ['(which libraries the server preloads is unknown: look at shared_preload_libraries yourself)']
        : []),
    ],
  }
}

const begin = '# pgbk restore: begin'
const end = '# pgbk restore: end'

/** The marked block; it stands at the end of postgresql.auto.conf, which PostgreSQL reads last. */
export function markedBlock({ settings }: SwitchedOff): string {
  return `${begin}. Keeps this copy from harming the server it came from.
# Take the block out before the first ALTER SYSTEM, which would leave the settings without these marks.
${confLines(settings)}${end}
`
}

/** The recovery's settings; without a recovery.signal they mean nothing. */
export function recoveryBlock(settings: Readonly<Record<string, string>>): string {
  return `# pgbk recovery: begin. These count while there is a recovery.signal.
${confLines(settings)}# pgbk recovery: end
`
}

/** The arguments of the sed that takes the marked block out. */
export const takeOut = `/^${begin}/,/^${end}/d`
