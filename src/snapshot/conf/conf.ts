/**
 * The configuration of a snapshot: made to start on any machine, close to the server's behaviour, unable to harm it.
 * It is a whole configuration, not an addition: what it does not name has PostgreSQL's own default.
 */

import {
  endingOf,
  finishedForms,
  type Packing,
  packingOf,
  type SegmentForm,
  unfinishedForms,
} from '../../wal-segments/segment-forms.js'
import { confLine, isSettingName } from './conf-line.js'
import { isHarmlessCustomSetting } from './custom-settings.js'
import { highestOf, minimumLines, minimumsAmong } from './minimums.js'

/** What the results of queries depend on. Only the first is one that another machine may refuse to start with: it may not know it. */
export const querySettings = [
  'TimeZone',
  'DateStyle',
  'IntervalStyle',
  'bytea_output',
  'client_encoding',
  'default_text_search_config',
  'default_transaction_isolation',
  'array_nulls',
  'backslash_quote',
  'extra_float_digits',
  'lo_compat_privileges',
  'quote_all_identifiers',
  'row_security',
  'search_path',
  'standard_conforming_strings',
  'transform_null_equals',
  'xmlbinary',
  'xmloption',
] as const

export interface ConfInput {
  id: string
  major: number
  /** The server's values; one that could not be read is absent. */
  settings: Readonly<Record<string, string>>
  /** The server's own settings with a dot in their name (`app.tenant`), as applications use them. */
  customSettings: Readonly<Record<string, string>>
  /** Whether the server that is started with it is sure to know the time zone. */
  knowsTimeZone?: boolean
  /** Bytes. */
  walSegmentSize: number
  /** Whether the cluster has tablespaces inside of its data directory (allow_in_place_tablespaces). */
  inPlaceTablespaces: boolean
  /** What else is known of `recoveryMinimums`, by pg_control for one; may be empty. */
  minimums: Readonly<Record<string, number>>
}

/** The text of conf/postgresql.conf. */
export function snapshotConf(input: ConfInput): string {
  return `# PostgreSQL ${input.major} configuration of the backup ${input.id}, written by pgbk.
# Start it from the snapshot directory:  postgres -D conf
# The server's own configuration files are in conf/original.

# where (relative to the directory in which postgres is started, then to data/)
data_directory = 'data'
listen_addresses = 'localhost'
unix_socket_directories = '/tmp'
unix_socket_permissions = 0700
cluster_name = 'pgbk ${input.id}'

# so that it starts on any machine
shared_buffers = 128MB
huge_pages = try
shared_preload_libraries = ''
session_preload_libraries = ''
local_preload_libraries = ''
${[...walLines(input), ...(input.inPlaceTablespaces ? ['allow_in_place_tablespaces = on'] : [])].map((line) => `${line}\n`).join('')}
# so that a copy cannot touch the server it came from, or anything else
archive_mode = off
archive_command = ''
${input.major >= 15 ? "archive_library = ''\n" : ''}primary_conninfo = ''
primary_slot_name = ''
max_logical_replication_workers = 0

# start-up needs at least the server's values
hot_standby = on
${minimumLines(highestOf(minimumsAmong(Object.entries(input.settings)), input.minimums)).join('\n')}

# what the server has set and queries depend on
${[...queryLines(input), ...customLines(input)].join('\n') || '# nothing'}

# Only with a recovery.signal in data/ (see README): WAL comes from the archive of this backup. A segment that is there and
# cannot be read ends the recovery (exit status above 125) instead of being taken for the end of the WAL.
restore_command = '${restoreCommand('../../wal', { segmentSize: input.walSegmentSize })}'
`
}

/**
 * A command that reads a directory of raw and compressed segments with stock tools. A receiver may be at work there: what it
 * finishes or compresses in between is looked for again in the order of its names.
 * @param directory the words of a shell for it; `%` is doubled already. Relative paths start at the data directory.
 * @param limits the bytes of a segment, of which no more are ever written; whether some are linked in pg_wal already; also `.partial`, the unfinished segment at the archive's end; no segment after `lastSegment`, the digits of its name
 * behind the timeline: PostgreSQL reads ahead, and must not stumble over what it does not need; further directories, each for what
 * comes after a segment, whose words and digits are given likewise. Timeline histories may be in any of them. `damaged` files are passed over.
 * The finished forms that it knows, all of them by default; and what unpacks zstd, where that is not the program of this name.
 */
export function restoreCommand(
  directory: string,
  limits: {
    segmentSize: number
    linked?: boolean
    partial?: boolean
    lastSegment?: string
    further?: { directory: string; after: string }[]
    damaged?: string[]
    forms?: readonly SegmentForm[]
    unpackZstd?: string | undefined
  },
): string {
  // One byte more than a segment: PostgreSQL refuses that, and nothing fills the disk.
  const most = limits.segmentSize + 1
  const finished = limits.forms ?? finishedForms
  const forms = limits.partial ? [...finished, ...unfinishedForms, ...finished] : finished
  const unpackers = { ...stockUnpackers, ...(limits.unpackZstd && { zstd: limits.unpackZstd }) }
  const unpackings = finished.flatMap((form) => {
    const packing = packingOf(form)
    return packing ? [`*${endingOf(form)}) ${unpackTo(most, unpackers[packing])};;`] : []
  })
  const steps = [
    ...(limits.lastSegment === undefined
      ? []
      : [`n="%f"; if [ "\${n#????????}" \\> ${limits.lastSegment} ]; then exit 1; fi;`]),
    ...(limits.linked ? [leaveLinked] : []),
    `d=${directory};`,
    ...furtherSteps(limits.further ?? []),
    `for f in ${forms.map((form) => `"$d/%f${endingOf(form)}"`).join(' ')}; do`,
    ...(limits.damaged?.length
      ? [`case "$f" in ${limits.damaged.map((file) => `*/${file}`).join('|')}) continue;; esac;`]
      : []),
    'if [ -f "$f" ]; then',
    `case "$f" in ${unpackings.join(' ')} *) cp "$f" "%p";; esac && exit 0;`,
    'if [ -f "$f" ]; then exit 126; fi;',
    'fi; done; exit 1',
  ]
  return steps.join(' ')
}

function furtherSteps(further: { directory: string; after: string }[]): string[] {
  if (further.length === 0) return []
  const words = [...new Set(further.map(({ directory }) => directory))].join(' ')
  return [
    'n="%f";',
    ...further.map(
      ({ directory, after }) => `if [ "\${n#????????}" \\> ${after} ]; then d=${directory}; fi;`,
    ),
    `case "$n" in *.history) for h in ${words}; do if [ ! -f "$d/$n" ]; then d=$h; fi; done;; esac;`,
  ]
}

/**
 * What is linked in pg_wal is read where it is: what restore_command does not have, PostgreSQL looks for there (RestoreArchivedFile
 * in xlogarchive.c), only reads it (XLogFileRead), and never makes a new segment of a link (RemoveXlogFile in xlog.c). What the
 * server could write to is copied all the same, and so is what a receiver has compressed since.
 */
const leaveLinked =
  'w="pg_wal/%f"; if [ -L "$w" ] && [ -f "$w" ] && [ -r "$w" ] && [ ! -w "$w" ]; then exit 1; fi;'

/** Stock programs that unpack their standard input. */
const stockUnpackers: Record<Packing, string> = { gzip: 'gzip -dc', zstd: 'zstd -dc' }

/** The status of the unpacker is told beside the pipe, whose own is that of its last program; too much, or no room, is a failure too. */
function unpackTo(most: number, unpacker: string): string {
  const pipe = `{ ${unpacker} < "$f"; echo $? >&3; } | head -c ${most} > "%p" || echo full >&3`
  return `s=$( { ${pipe}; } 3>&1 ); [ "$s" = 0 ]`
}

/** min_wal_size must be two segments at least, and max_wal_size more (ReadControlFile in xlog.c); the defaults suit 16 MB. */
function walLines({ walSegmentSize }: ConfInput): string[] {
  const megabytes = walSegmentSize / 1024 ** 2
  return megabytes <= 32
    ? []
    : [`min_wal_size = ${2 * megabytes}MB`, `max_wal_size = ${Math.max(1024, 4 * megabytes)}MB`]
}

function queryLines({ settings, knowsTimeZone }: ConfInput): string[] {
  return querySettings.flatMap((name) => {
    const value = settings[name]
    if (value === undefined) return []
    const line = confLine(name, value)
    return [
      name !== 'TimeZone' || knowsTimeZone
        ? line
        : `# ${line}    # where it is known: not every machine has all zones`,
    ]
  })
}

/** Without those that make a library run something. */
function customLines({ customSettings }: ConfInput): string[] {
  return Object.entries(customSettings)
    .filter(([name]) => isSettingName(name) && isHarmlessCustomSetting(name))
    .map(([name, value]) => confLine(name, value))
}

/** Who may connect to a snapshot: the user who started it over the socket, others by password, nobody for replication. */
export const snapshotHba = `# The socket lets only the operating-system user in who started the server (unix_socket_permissions).
# TYPE  DATABASE  USER  ADDRESS        METHOD
local   all       all                  trust
host    all       all   127.0.0.1/32   md5
host    all       all   ::1/128        md5
`

export const snapshotIdent = '# No maps are needed: see pg_hba.conf.\n'
