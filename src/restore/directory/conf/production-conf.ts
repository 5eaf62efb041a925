import { isAbsolute, join, relative, resolve } from 'node:path'
import type { BackupRecord } from '../../../catalog/record.js'
import { confLines, confLiteral, libraryList } from '../../../snapshot/conf/conf-line.js'
import { type ConfLine, isInclude, parseConf } from '../../../snapshot/conf/conf-text.js'
import { dangersIn, type FoundSettings, isOfInstallation, librariesIn } from './dangers-in-conf.js'

/** What a copy of a server's configuration says that only holds where it came from. */
const places = ['data_directory', 'hba_file', 'ident_file', 'external_pid_file', 'config_file']

/** Whether a line names a place that only holds where the configuration came from. */
export function isPlace({ name, text }: ConfLine): boolean {
  const [, first = ''] = /^\s*(\w+)/.exec(text) ?? []
  return places.includes(name ?? first.toLowerCase())
}

/** One file of the server's configuration on its way into a data directory. */
interface AdaptedFile {
  text: string
  /** What was changed or will be missing, in plain words. */
  notes: string[]
}

/**
 * The text of one of the server's configuration files, made to work in a data directory: what names the old places is taken
 * out, and included files are looked for beside it.
 * @param copies where the files of the old places are now, relative to the data directory.
 * @param from the path that the file had on the server.
 * @param isEmpty whether a directory is known to have had nothing in it that counts.
 */
export function adaptConf(
  text: string,
  from: string,
  copies: ReadonlyMap<string, string>,
  isEmpty: (directory: string) => boolean = () => false,
): AdaptedFile {
  const notes: string[] = []
  const lines = parseConf(text).map((line) => {
    if (isPlace(line)) return `#${line.text}    # pgbk restore: named a place on the server`
    return isInclude(line) ? adaptInclude(line, from, { copies, isEmpty, notes }) : line.text
  })
  return { text: lines.join('\n'), notes }
}

interface Adapting {
  copies: ReadonlyMap<string, string>
  isEmpty: (directory: string) => boolean
  notes: string[]
}

function adaptInclude(
  { text: line, name: kind = '', value }: ConfLine,
  from: string,
  { copies, isEmpty, notes }: Adapting,
): string {
  const named = fromLatin1(value)
  const there = resolve(from, '..', named)
  const copy = kind === 'include_dir' ? directoryCopy(there, copies) : copies.get(there)
  const here = copies.get(from)
  if (copy !== undefined && here !== undefined)
    return `${kind} ${toLatin1(confLiteral(relative(join(here, '..'), copy)))}`
  if (kind === 'include_if_exists' && !isAbsolute(named)) return line
  if (kind === 'include_dir' && isEmpty(there)) return `#${line}    # pgbk restore: it had no file`
  const empty = kind === 'include_dir' ? ', or was empty' : ''
  notes.push(`${there}, which ${from} includes, is not in the backup${empty}`)
  return `#${line}    # pgbk restore: not in the backup`
}

/** The text of configuration files is taken byte by byte, because only their server knows its encoding; names of files are UTF-8. */
function fromLatin1(text: string): string {
  return Buffer.from(text, 'latin1').toString()
}

function toLatin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** The value that a configuration's text gives a setting; the last one counts. */
export function settingIn(text: string, name: string): string | undefined {
  const found = parseConf(text).findLast((line) => line.name === name)
  return found && fromLatin1(found.value)
}

/** A directory that had nothing in it cannot be told from one that was not read. */
export function directoryCopy(directory: string, copies: ReadonlyMap<string, string>): string | undefined {
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
  'spock',
  'pgactive',
  'pg_failover_slots',
  'pg_dbms_job',
  'powa',
  'pg_net',
  'pgl_ddl_deploy',
  'wal2mongo',
])

/**
 * The settings of the marked block.
 * @param found what the server's configuration files say: the record may not know all of it, or not the truth.
 */
export function switchedOff(record: BackupRecord, found: FoundSettings = new Map()): SwitchedOff {
  const said = (found.get('shared_preload_libraries') ?? []).flatMap(librariesIn)
  const libraries = [...new Set([...(record.preload_libraries ?? said), ...said])]
  const jobs = libraries.filter((name) => schedulers.has(name.replace(/^.*\//, '')))
  const kept = libraries.filter((name) => !jobs.includes(name) && isOfInstallation(name))
  const list = libraryList(kept)
  const others = dangersIn(found)
  return {
    settings: {
      ...others.settings,
      archive_mode: 'off',
      archive_command: '',
      ...(record.server.version_num >= 150_000 ? { archive_library: '' } : {}),
      primary_conninfo: '',
      primary_slot_name: '',
      synchronous_standby_names: '',
      max_logical_replication_workers: '0',
      ...(kept.length < libraries.length ? { shared_preload_libraries: list } : {}),
    },
    reasons: [
      'archiving (archive_mode, archive_command): it would write into the archive of the server',
      'replication from another server (primary_conninfo, primary_slot_name)',
      'waiting for standbys (synchronous_standby_names): it has none, and no commit would end',
      'subscriptions of logical replication (max_logical_replication_workers): they would take over the slots of the server',
      ...(jobs.length > 0
        ? [`libraries that start jobs (shared_preload_libraries): ${jobs.join(', ')}`]
        : []),
      ...(record.preload_libraries === null
        ? ['(which libraries the server preloads is unknown: look at shared_preload_libraries yourself)']
        : []),
      ...others.reasons,
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

/**
 * What must not be left of the server's own configuration: a second target stops the start, a delay holds the recovery up, and
 * commands would act on the server's archive. They stand before the new settings, because a target counts as a second one until
 * the other is taken back.
 */
const noOtherRecovery = {
  recovery_target: '',
  recovery_target_lsn: '',
  recovery_target_name: '',
  recovery_target_time: '',
  recovery_target_xid: '',
  recovery_min_apply_delay: '0',
  archive_cleanup_command: '',
  recovery_end_command: '',
}

const recoveryBegin = '# pgbk recovery: begin'
const recoveryEnd = '# pgbk recovery: end'

/** The recovery's settings. They count while there is a recovery.signal; but a standby that is made of the server gets them too. */
export function recoveryBlock(settings: Readonly<Record<string, string>>): string {
  const others = Object.entries(noOtherRecovery).filter(([name]) => !(name in settings))
  return `${recoveryBegin}. For the first start; not needed when there is no recovery.signal any more.
${confLines({ ...Object.fromEntries(others), ...settings })}${recoveryEnd}
`
}

/** The text of postgresql.auto.conf without the settings of a recovery that is over. */
export function withoutRecovery(text: string): string {
  return text.replace(new RegExp(`^${recoveryBegin}[^]*?^${recoveryEnd}\\n`, 'm'), '')
}
