import { join } from 'node:path'
import type { Environment } from '../../context.js'
import { type Fault, PgbkError } from '../../errors.js'
import { minimumsAmong } from '../../snapshot/conf/minimums.js'
import type { WalRange } from '../../snapshot/manifest/manifest-parser.js'
import { isSeenByAnother } from '../../system/paths/other-mounts.js'
import { runProgram } from '../../system/program/run-program.js'
import { type Installation, programOf } from './find.js'

export interface CheckOptions {
  env: Environment
  signal: AbortSignal
}

/** A way to run pg_verifybackup on a backup of some major. */
export interface Verifier {
  program: string
  major: number
  version: string
  /** Whether it can check the WAL too: only the same major, and only where pg_waldump is installed. */
  checksWal: boolean
}

/** pg_verifybackup of the same major, else of the lowest newer one, which knows the older manifests but not the WAL. */
export function findVerifier(major: number, installations: Installation[]): Verifier | undefined {
  const usable = installations
    .filter((installation) => installation.major >= major)
    .sort((a, b) => a.major - b.major)
  for (const { major: own, version } of usable) {
    const program = programOf(own, 'pg_verifybackup', installations)
    const checksWal = own === major && programOf(own, 'pg_waldump', installations) !== undefined
    if (program) return { program, major: own, version, checksWal }
  }
  return undefined
}

export interface SnapshotCheck extends CheckOptions {
  /** Told how many bytes are read, from version 16 on. */
  onBytes?(done: number, total: number): void
}

/** A snapshot that is half gone has as many faults as files. */
const mostFaults = 1000

/**
 * Compares every file of a snapshot's data directory with the manifest, and returns all that is wrong, in the words of
 * pg_verifybackup; what it says of the WAL is a fault of `data/pg_wal`.
 * It passes its path through a shell: so it runs inside the snapshot, and the path is just `data`; but where it can only be given a
 * path, which has no characters then that mean anything.
 */
export async function snapshotFaults(
  verifier: Verifier,
  snapshot: string,
  check: SnapshotCheck,
): Promise<Fault[]> {
  const cwd = isSeenByAnother(snapshot) ? undefined : snapshot
  const args = [
    ...(verifier.major >= 16 && check.onBytes ? ['--progress'] : []),
    // Without PG_VERSION in it, 18 would take a directory for one of tar files.
    ...(verifier.major >= 18 ? ['--format=plain'] : []),
    ...(verifier.checksWal ? [] : ['--no-parse-wal']),
    cwd === undefined ? `${snapshot}/data` : 'data',
  ]
  const lines: string[] = []
  const onErrorLine = (line: string) => {
    const [, done, total] = /^ *(\d+)\/(\d+) kB \(\d+%\) verified$/.exec(line) ?? []
    if (done === undefined && lines.length <= mostFaults) lines.push(line)
    else if (done !== undefined) check.onBytes?.(Number(done) * 1024, Number(total) * 1024)
  }
  const { env, signal } = check
  const { status, endedBy } = await runProgram(verifier.program, args, {
    env,
    signal,
    ...(cwd === undefined ? {} : { cwd }),
    onErrorLine,
  })
  if (status === 0) return []
  if (status === undefined) throw new PgbkError('failed', `pg_verifybackup was ended by ${endedBy}`)
  const faults = lines
    .filter((line) => line.trim() !== '')
    .map((line) => faultIn(line.replaceAll(`${snapshot}/`, '')))
  if (faults.length > mostFaults)
    return [...faults.slice(0, mostFaults), { file: 'data', problem: 'there are more faults than these' }]
  return faults.length > 0 ? faults : [{ file: 'data', problem: `pg_verifybackup ended with ${status}` }]
}

function faultIn(line: string): Fault {
  const [, program, , problem = line] =
    /^(pg_\w+): ((?:error|fatal|warning|hint|detail): )?(.*)$/.exec(line) ?? []
  if (program === 'pg_waldump' || problem.startsWith('WAL parsing')) return { file: 'data/pg_wal', problem }
  const [, named] = /"([^"]+)"/.exec(problem) ?? []
  if (named === undefined) return { file: 'data/backup_manifest', problem }
  return { file: `data/${named.replace(/^data\//, '')}`, problem }
}

/** @throws {PgbkError} `damaged`, with what pg_verifybackup found. */
export async function verifySnapshot(
  verifier: Verifier,
  snapshot: string,
  options: CheckOptions,
): Promise<void> {
  const faults = await snapshotFaults(verifier, snapshot, options)
  if (faults.length === 0) return
  const more = faults.length > 5 ? `; and ${faults.length - 5} more` : ''
  const found = faults.slice(0, 5).map(({ problem }) => problem)
  throw new PgbkError('damaged', `pg_verifybackup found faults: ${found.join('; ')}${more}`, {
    hint: 'The copy is not what the server sent. Look at the disk under the root, then run pgbk create again.',
  })
}

export interface SwitchSearch extends CheckOptions {
  pgWal: string
  segment: string
  /** Where to begin to read: the end of the backup. */
  fromLsn: string
  major: number
  installations: Installation[]
}

/**
 * Whether the server has ended a segment by itself: a SWITCH record after the backup's end. From a standby there is none,
 * and the rest of the segment is zeros from pg_basebackup. False where pg_waldump of this major is not installed.
 */
export async function endsWithSwitch(search: SwitchSearch): Promise<boolean> {
  const program = programOf(search.major, 'pg_waldump', search.installations)
  if (!program) return false
  const args = ['--rmgr=XLOG', `--start=${search.fromLsn}`, search.segment]
  // It fails at the end of what it can read, in either case: only what it printed before counts.
  const { stdout } = await runProgram(program, args, {
    env: search.env,
    signal: search.signal,
    cwd: search.pgWal,
  })
  return /desc: SWITCH/.test(stdout)
}

export interface RecordSearch extends CheckOptions {
  pgWal: string
  range: WalRange
  major: number
  installations: Installation[]
}

/** Whether a tablespace was created or dropped in a range of WAL; false where pg_waldump of this major is not installed. */
export async function findTablespaceRecords(search: RecordSearch): Promise<boolean> {
  const program = programOf(search.major, 'pg_waldump', search.installations)
  if (!program) return false
  const { timeline, startLsn, endLsn } = search.range
  const args = [
    '--path=.',
    `--timeline=${timeline}`,
    `--start=${startLsn}`,
    `--end=${endLsn}`,
    '--rmgr=Tablespace',
  ]
  const { status, stdout, stderr } = await runProgram(program, args, {
    env: search.env,
    signal: search.signal,
    cwd: search.pgWal,
  })
  if (status !== 0) throw new PgbkError('damaged', `the WAL of the backup cannot be read: ${stderr.trim()}`)
  return /^rmgr: Tablespace/m.test(stdout)
}

/**
 * The settings of the server that pg_control demands of a recovery, by name; none where pg_controldata of this major is not
 * installed.
 */
export async function readControlSettings(
  dataDirectory: string,
  major: number,
  installations: Installation[],
  options: CheckOptions,
): Promise<Record<string, number>> {
  const program = programOf(major, 'pg_controldata', installations)
  return program ? controlSettings(program, dataDirectory, options) : {}
}

/** The same, by a given pg_controldata. */
export async function controlSettings(
  program: string,
  dataDirectory: string,
  options: CheckOptions,
): Promise<Record<string, number>> {
  const { status, stdout, stderr } = await runProgram(program, ['data'], {
    ...options,
    cwd: join(dataDirectory, '..'),
  })
  if (status !== 0) throw new PgbkError('damaged', `pg_controldata failed: ${stderr.trim()}`)
  return parseControlSettings(stdout)
}

/** @param text what pg_controldata prints: `max_prepared_xacts setting:  0`. */
export function parseControlSettings(text: string): Record<string, number> {
  const renamed: Record<string, string> = {
    max_prepared_xacts: 'max_prepared_transactions',
    max_locks_per_xact: 'max_locks_per_transaction',
  }
  const lines = [...text.matchAll(/^(\w+) setting:\s+(\w+)$/gm)]
  return minimumsAmong(lines.map(([, name = '', value = '']) => [renamed[name] ?? name, value]))
}
