import {
  isLocal,
  type LocalBackup,
  plainSnapshotOf,
  recipientsOf,
  recordOf,
  type StoredBackup,
} from '../../catalog/backup.js'
import type { BackupRecord } from '../../catalog/record.js'
import type { ShowResult } from '../../inventory/show.js'
import { formatAgo, formatBytes, formatDuration, formatTime } from '../../text/format.js'
import { shellWord } from '../../text/shell-word.js'
import { backupJson } from '../parts/backup-json.js'
import { openCommand } from '../parts/open-command.js'
import { hasFailed, proofText, unprovenOf } from '../parts/proof-text.js'
import { gapText, windowJson, windowText } from '../parts/window-text.js'
import { printable, type Screen } from '../screen.js'
import { tableLines } from '../table.js'

export function showJson({ backup, location, window }: ShowResult): object {
  return { backup: { ...backupJson(backup, location), window: window ? windowJson(window) : null } }
}

export function showText(result: ShowResult, screen: Screen): string {
  const { backup, source } = result
  const record = recordOf(backup)
  const parts = [
    fields(result, screen),
    section('Databases', databases(record), screen),
    section('Tablespaces', tablespaces(record), screen),
    section('Extensions', extensions(record), screen),
    section('Next', nextCommands(backup, source, screen), screen),
  ]
  return `${parts.filter(Boolean).join('\n\n')}\n`
}

function fields({ backup, location, window }: ShowResult, { style, now }: Screen): string {
  const { id, state } = backup
  const record = recordOf(backup)
  const { server } = record
  const age = formatAgo(now.getTime() - Date.parse(record.started_at))
  const used = `${state}: a server was started inside this snapshot; it is no longer what was backed up`
  const rows: [string, string, ((text: string) => string)?][] = [
    ['Backup', id, style.strong],
    state === 'whole' ? ['State', state, style.good] : ['State', used, style.warning],
    ['Held', heldText(backup), style.warning],
    ['Label', record.label ?? ''],
    ['Kind', record.kind],
    ['Started', `${formatTime(record.started_at)} (${age})`],
    ['Finished', `${formatTime(record.finished_at)}, after ${formatDuration(record.duration_ms)}`],
    ['Data as of', asOfText(record, now)],
    ['Size', `${formatBytes(record.size_bytes)} in ${record.file_count} files`],
    ['Shared', sharedText(backup)],
    ['Form', formText(backup)],
    ['Verified', record.verified ? `yes, by pg_verifybackup ${record.tools.pg_verifybackup}` : 'no'],
    ['Proof', proofRow(backup, now), proofPaint(backup, style)],
    [
      'Server',
      `PostgreSQL ${server.version}, ${server.host}:${server.port}${server.in_recovery ? ', a standby' : ''}`,
    ],
    ['Cluster', [server.cluster_name, server.system_identifier].filter(Boolean).join(', ')],
    ['Superuser', record.superuser],
    [
      'WAL',
      `timeline ${record.timeline}, ${record.start_lsn} to ${record.stop_lsn}, segments of ${formatBytes(record.wal_segment_size)}`,
    ],
    ['Window', window ? windowText(window) : ''],
    ['Gap', (window && gapText(window)) ?? '', style.warning],
    ['Checksums', record.data_checksums ? 'on' : 'off'],
    ['Preloaded', record.preload_libraries === null ? 'unknown' : record.preload_libraries.join(', ')],
    ['Tools', `pgbk ${record.tools.pgbk}, pg_basebackup ${record.tools.pg_basebackup}`],
    ['Left out', leftOutText(record), style.warning],
    ['Directory', location],
  ]
  return rows
    .filter(([, value]) => value !== '')
    .map(
      ([name, value, paint = (text) => text]) => `${style.faint(name.padEnd(11))}${paint(printable(value))}`,
    )
    .join('\n')
}

const knownBy = {
  'last-commit': 'the last commit that the standby had replayed',
  'last-checkpoint': 'the last checkpoint that the standby had replayed',
  'caught-up': 'the standby had all of its primary by then',
}

function asOfText(record: BackupRecord, now: Date): string {
  const { standby, copied_at: time } = record
  if (!standby || time === undefined) return ''
  return `${formatTime(time)} (${formatAgo(now.getTime() - Date.parse(time))}): ${knownBy[standby.known_by]}`
}

/** Blocks that others have too. */
function sharedText({ summary, storedBytes, ownBytes }: StoredBackup): string {
  const [base] = summary.shared?.with ?? []
  if (base === undefined) return ''
  if (ownBytes === storedBytes) return 'with no backup that is still here'
  return `${formatBytes(storedBytes - ownBytes)} with ${base} and those before it; ${formatBytes(ownBytes)} of its own`
}

function heldText({ hold }: StoredBackup): string {
  if (!hold) return ''
  return `since ${formatTime(hold.since)}${hold.reason === null ? '' : `: ${hold.reason}`}`
}

function proofPaint({ proof }: StoredBackup, style: Screen['style']): (text: string) => string {
  if (hasFailed(proof)) return style.bad
  return unprovenOf(proof).length > 0 ? style.warning : style.good
}

function proofRow({ proof }: StoredBackup, now: Date): string {
  const text = proofText(proof, now)
  if (proof === undefined || proof === 'unreadable') return text
  if (!proof.ok) return [text, ...proof.faults, ...unprovenOf(proof)].join('; ')
  const replay = proof.replay_ms === null ? '' : `, WAL replayed in ${formatDuration(proof.replay_ms)}`
  return `${text}${replay}, by PostgreSQL ${proof.postgres_version}`
}

function section(title: string, lines: string[], { style }: Screen): string {
  return lines.length === 0 ? '' : [style.strong(title), ...lines.map((line) => `  ${line}`)].join('\n')
}

function databases({ databases: rows }: BackupRecord): string[] {
  return tableLines(
    [
      { title: 'NAME', value: ({ name }) => name },
      {
        title: 'SIZE',
        value: ({ size_bytes }) => (size_bytes === null ? 'unknown' : formatBytes(size_bytes)),
        align: 'right',
      },
      { title: 'ENCODING', value: ({ encoding }) => encoding },
      { title: 'LOCALE', value: ({ locale, locale_provider }) => `${locale} (${locale_provider})` },
      { title: 'CONNECTIONS', value: connectionsText },
      {
        title: 'UNLOGGED TABLES',
        value: ({ unlogged_tables }) => (unlogged_tables ? `${unlogged_tables} (empty in a copy)` : ''),
      },
    ],
    rows,
  )
}

function leftOutText({ skipped = [] }: BackupRecord): string {
  const more = skipped.length > 10 ? ` and ${skipped.length - 10} more` : ''
  return `${skipped.slice(0, 10).join(', ')}${more}`
}

/** Nobody's connections to template0 are wanted anywhere. */
function connectionsText({ name, access }: BackupRecord['databases'][number]): string {
  if (name === 'template0' || access === undefined || access === 'open') return ''
  return { superusers: 'superusers only', nobody: 'nobody', invalid: 'invalid: drop it' }[access]
}

function tablespaces({ tablespaces: rows }: BackupRecord): string[] {
  if (rows.length === 0) return []
  return tableLines(
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'OID', value: ({ oid }) => String(oid), align: 'right' },
      { title: 'SIZE', value: ({ size_bytes }) => formatBytes(size_bytes), align: 'right' },
      { title: 'ON THE SERVER', value: ({ location }) => location },
    ],
    rows,
  )
}

function extensions({ extensions: rows }: BackupRecord): string[] {
  if (rows.length === 0) return []
  return tableLines(
    [
      { title: 'DATABASE', value: ({ database }) => database },
      { title: 'NAME', value: ({ name }) => name },
      { title: 'VERSION', value: ({ version }) => version },
    ],
    rows,
  )
}

function nextCommands(backup: StoredBackup, source: string | undefined, { pgbk }: Screen): string[] {
  const { id } = backup
  if (source !== undefined) return [pgbk(`download ${id} --from ${shellWord(source)}`)]
  const unpacked = (there: LocalBackup) => [openCommand(there), pgbk(`unpack ${id}`)]
  const byHand = (there: LocalBackup) => [
    `cd ${shellWord(plainSnapshotOf(there).snapshot)} && pg_verifybackup data`,
    `${openCommand(there)}    # uses it up`,
  ]
  return [
    pgbk(`local-run ${id}`),
    ...(isLocal(backup) ? (backup.form === 'packed' ? unpacked(backup) : byHand(backup)) : []),
    pgbk(`${backup.hold ? 'release' : 'delete'} ${id}`),
  ]
}

/** Nothing for a plain one: it is what it has always been. */
function formText(backup: StoredBackup): string {
  if (backup.form === 'plain') return ''
  const recipients = recipientsOf(backup)
  const how = recipients ? `packed, and encrypted for ${recipients}` : 'packed'
  return `${how}: it takes ${formatBytes(backup.storedBytes)}`
}
