import { join } from 'node:path'
import { type ErrorCode, PgbkError } from '../../errors.js'
import { type Connection, connectionArgs } from '../../postgres/connection/connection.js'
import { connectionHint, isWrongParameter } from '../../postgres/connection/connection-hint.js'
import { isServersNotice, pathIn, saysLeftOut } from '../../postgres/server/left-out.js'
import { isOutside, type TablespaceFacts } from '../../postgres/server/server-facts.js'
import { baseBackupOptions } from '../../postgres/sql/session-pins.js'
import type { Progress } from '../../progress.js'
import { type ProgramOptions, runProgram } from '../../system/program/run-program.js'

/** `server-zstd` from PostgreSQL 15 on (pg_basebackup --compress). */
export type Wire = 'none' | 'server-zstd'

/** What of a copy is the caller's choice. */
export interface CopyOptions {
  label: string
  checkpoint: 'fast' | 'spread'
  /** As pg_basebackup takes it: kilobytes a second, or with a suffix k or M. */
  maxRate?: string | undefined
  /** How the server compresses what it sends; it is unpacked here as it comes. */
  wire: Wire
}

export interface BaseBackupOptions extends CopyOptions {
  /** Absolute path of the new data directory. */
  dataDirectory: string
  /** Absolute path of the directory that gets one directory for each further tablespace. */
  tablespacesDirectory: string
  tablespaces: TablespaceFacts[]
}

/** @throws {PgbkError} `usage` for a rate that pg_basebackup would not take (32 kB to 1 GB a second). */
export function checkRate(rate: string | undefined): void {
  if (rate === undefined) return
  const [, digits, unit] = /^(\d+)([kM]?)$/.exec(rate) ?? []
  const kilobytes = Number(digits) * (unit === 'M' ? 1024 : 1)
  if (kilobytes >= 32 && kilobytes <= 1024 * 1024) return
  throw new PgbkError('usage', `${JSON.stringify(rate)} is not a transfer rate for --max-rate`, {
    hint: 'Kilobytes per second, or with a suffix: 800k, 50M. From 32k to 1024M.',
  })
}

/** @throws {PgbkError} `config` for a server that does not compress. */
export function checkWire(wire: Wire, major: number): void {
  if (wire === 'none' || major >= 15) return
  throw new PgbkError(
    'config',
    `create.wire is ${wire}, and PostgreSQL ${major} does not compress what it sends`,
    {
      hint: 'PostgreSQL 15 and newer do. Take create.wire out of the configuration.',
    },
  )
}

/** The command line of pg_basebackup, for a copy as directories. Passwords are in the connection's environment. */
export function baseBackupArgs(connection: Connection, options: BaseBackupOptions): string[] {
  return [
    `--pgdata=${options.dataDirectory}`,
    '--format=plain',
    '--wal-method=stream',
    ...(options.wire === 'none' ? [] : [`--compress=${options.wire}:level=1`]),
    ...options.tablespaces.filter(isOutside).map(({ oid, raw_location }) => {
      const target = join(options.tablespacesDirectory, String(oid))
      return `--tablespace-mapping=${escapeMapping(raw_location)}=${escapeMapping(target)}`
    }),
    ...commonArgs(connection, options),
  ]
}

/**
 * The same for a tar on its standard output, which has the manifest as its last member. Only of a server without further tablespaces,
 * which has to keep its WAL meanwhile: all that is fetched last.
 */
export function tarArgs(connection: Connection, options: CopyOptions): string[] {
  return ['--pgdata=-', '--format=tar', '--wal-method=fetch', ...commonArgs(connection, options)]
}

function commonArgs(connection: Connection, options: CopyOptions): string[] {
  const own = connection.parameters.options
  return [
    `--checkpoint=${options.checkpoint}`,
    `--label=${options.label}`,
    '--progress',
    ...(options.maxRate === undefined ? [] : [`--max-rate=${options.maxRate}`]),
    ...connectionArgs(connection, own === undefined ? {} : { options: baseBackupOptions(own) }),
  ]
}

function escapeMapping(path: string): string {
  return path.replaceAll('=', '\\=')
}

export interface RunBaseBackup {
  program: string
  /** Words of a command that it is the last part of. */
  within: string[]
  args: string[]
  connection: Connection
  signal: AbortSignal
  progress: Progress
  /**
   * Told of what the server will leave out, before it sends anything (it adds up the sizes first): an error ends the copy.
   */
  onLeftOut(path: string): PgbkError | undefined
  /** Reads the tar that it writes, if it writes one. */
  readOutput?: ProgramOptions['readOutput']
}

/**
 * Runs pg_basebackup, which has no signal handlers and a child for the WAL, in a process group of its own; both are gone
 * when this returns or throws.
 * @returns each of the server's notices, and of its own warnings, once.
 * @throws {PgbkError} with what pg_basebackup said, or what `onLeftOut` returned.
 */
export async function runBaseBackup(run: RunBaseBackup): Promise<string[]> {
  const { program, within, args, connection, signal, progress, onLeftOut, readOutput } = run
  const [file = '', ...words] = [...within, program, ...args]
  const said = new Set<string>()
  const refused = new AbortController()
  let hasBegun = false
  const hear = (line: string) => {
    said.add(line)
    const path = !hasBegun && saysLeftOut(line) ? pathIn(line) : undefined
    const refusal = path === undefined ? undefined : onLeftOut(path)
    if (refusal) refused.abort(refusal)
  }
  const result = await runProgram(file, words, {
    env: connection.env,
    variables: { PGOPTIONS: baseBackupOptions() },
    signal: AbortSignal.any([signal, refused.signal]),
    ...(readOutput && { readOutput }),
    onErrorLine: (line) => {
      const amount = parseProgress(line)
      hasBegun ||= amount !== undefined
      if (amount) {
        progress.step('copying')
        progress.bytes(amount.done, amount.total)
      } else if (/^waiting for checkpoint/.test(line)) progress.step("waiting for the server's checkpoint")
      else if (line.trim()) hear(line)
    },
  })
  if (result.status !== 0) throw failure([...said], result.endedBy, connection)
  return [...said].filter((line) => isServersNotice(line) || /^pg_basebackup: warning: /.test(line))
}

/** A line of `pg_basebackup --progress`, ` 1024/31415 kB (3%), 0/1 tablespace`; in bytes. */
export function parseProgress(line: string): { done: number; total: number } | undefined {
  const match = /^\s*(\d+)\/(\d+) kB \(/.exec(line)
  return match ? { done: Number(match[1]) * 1024, total: Number(match[2]) * 1024 } : undefined
}

const causes: [RegExp, ErrorCode, string][] = [
  [
    /standby was promoted during online backup/,
    'failed',
    'The server is a primary now. Nothing was kept; run pgbk create again.',
  ],
  [
    /ERROR: {2}could not (open|stat|read) .*: Permission denied/,
    'refused',
    "The server itself may not read that, so no backup can have it: give it to the server's user (chown), or move it out of the data directory if it does not belong to PostgreSQL.",
  ],
  [
    /directory "\/.*" exists but is not empty|could not create (directory|file) "\/.*": (Read-only file system|Permission denied)/,
    'refused',
    "The server sends files for that directory, which is none that pgbk has mapped: a link in its pg_tblspc that belongs to no tablespace leads there, or a tablespace was made just now. Compare, as a superuser:\n  SELECT * FROM pg_ls_dir('pg_tblspc');\n  SELECT oid, spcname FROM pg_tablespace;\nA link without a tablespace is to be removed (rm) from pg_tblspc.",
  ],
  [
    /No space left on device|Disk quota exceeded/,
    'disk-full',
    'Make room where the backups are, or choose another root with -C; nothing was kept of this one.',
  ],
  [
    /checksum error|checksum verification failed/,
    'damaged',
    'Pages of the server itself are damaged; its log names them. Look at the hardware, and at pg_amcheck. Older backups may still have them whole.',
  ],
  [
    /server closed the connection|connection to server|could not connect|terminating connection|could not receive data|SSL SYSCALL|shutting down|no data received|could not send|COPY stream ended|unexpected termination of replication stream/i,
    'unreachable',
    "The connection was lost while the backup ran; the server's log says why. Nothing was kept; run pgbk create again.",
  ],
]

/** psql, the newest that is here, has taken the same parameters. */
const olderHint =
  "psql knows this parameter of the connection, and the pg_basebackup of the server's own major does not: leave it out, of the service file too."

function failure(said: string[], endedBy: string | undefined, connection: Connection): PgbkError {
  const errors = said.filter((line) => /error:|FATAL:|ERROR:|checksum verification failed/.test(line))
  const lines = (errors.length > 0 ? errors : said).map((line) =>
    line.replace(/^pg_basebackup: (error: )?/, ''),
  )
  const text =
    [...new Set(lines)].slice(-3).join('; ') || `ended by ${endedBy ?? 'itself, without a message'}`
  const [first = ''] = lines
  if (isWrongParameter(first))
    return new PgbkError('usage', `pg_basebackup failed: ${text}`, { hint: olderHint })
  if (/^(connection to server|could not connect to server)/.test(first))
    return new PgbkError('unreachable', `pg_basebackup failed: ${text}`, {
      hint: connectionHint(text, connection),
    })
  const known = causes.find(([pattern]) => said.some((line) => pattern.test(line)))
  return new PgbkError(
    known?.[1] ?? 'failed',
    `pg_basebackup failed: ${text}`,
    known ? { hint: known[2] } : {},
  )
}
