import { existsSync } from 'node:fs'
import { access, open, rm, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchivedSegment, ArchivedWal } from '../backup/archived-wal.js'
import { parseLsn, segmentName, segmentNumber } from '../backup/lsn.js'
import { unpackSegment, withSegmentFile } from '../backup/segment-file.js'
import { PgbkError } from '../errors.js'
import { runProgram } from '../program/run-program.js'
import type { CheckOptions } from './check-backup.js'
import { programEnvironment } from './connection.js'
import { makeDesk, removeDesk } from './desk-directory.js'

/**
 * A temporary directory in which pg_waldump finds segments of a chain, whatever their form and timeline in the archive. All are named
 * as of one timeline: pg_waldump reads one only, and a child's pages may follow its parent's.
 */
export interface SegmentDesk {
  program: string
  directory: string
  wal: ArchivedWal
  segmentSize: number
  timeline: number
  options: CheckOptions
  /** Removes the segments from this index on. */
  clear(from: number): Promise<void>
}

/** Does work with a desk, which goes in any case. */
export async function withSegmentDesk<T>(
  program: string,
  wal: ArchivedWal,
  { env, signal }: CheckOptions,
  work: (desk: SegmentDesk) => Promise<T>,
): Promise<T> {
  const directory = await makeDesk(env.TMPDIR || '/tmp')
  const timeline = wal.chain.at(-1)?.timeline ?? 1
  const pathAt = (index: number) => join(directory, nameAt({ wal, timeline }, index))
  const clear = async (from: number) => {
    for (let index = from; existsSync(pathAt(index)); index++) await rm(pathAt(index))
  }
  try {
    const options = { env: { ...programEnvironment(env), TZ: 'UTC' }, signal }
    return await work({ program, directory, wal, segmentSize: wal.segmentSize, timeline, options, clear })
  } finally {
    await removeDesk(directory)
  }
}

/** The name on the desk of the segment with this index in the chain; indexes may go beyond its end. */
function nameAt({ wal, timeline }: Pick<SegmentDesk, 'wal' | 'timeline'>, index: number): string {
  const number = (wal.chain[0]?.segment ?? 0n) + BigInt(index)
  return segmentName(timeline, number, wal.segmentSize)
}

/** Links a raw segment, unpacks a compressed one, and makes one of zeros beyond the end, at which pg_waldump stops. */
export async function provide(desk: SegmentDesk, index: number): Promise<string> {
  const name = nameAt(desk, index)
  const path = join(desk.directory, name)
  const segment = desk.wal.chain[index]
  if (await exists(path)) return name
  await rm(path, { force: true })
  if (!segment) {
    const file = await open(path, 'w', 0o600)
    await file.truncate(desk.segmentSize)
    await file.close()
    return name
  }
  await put(desk, segment, path)
  return name
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function put({ wal, segmentSize }: SegmentDesk, segment: ArchivedSegment, path: string): Promise<void> {
  return withSegmentFile(wal.directory, segment, async (file) => {
    const source = join(wal.directory, file)
    if (file.endsWith('.gz')) return unpackSegment(source, path, segmentSize)
    await access(source)
    await symlink(source, path)
  })
}

/** Segments by their index in the chain. */
export interface WalStep {
  first: number
  last: number
}

/** Where the WAL of a chain cannot be read on. */
export interface WalDamage {
  /** The index of the segment in the chain. */
  index: number
  /** What is wrong with it, without its name. */
  reason: string
  /** Whether what comes before the damage in this segment can be used. */
  isReadable: boolean
  error: PgbkError
}

export interface DumpedWal {
  /** Where the last record that could be read begins; unknown where all could be read to the end. */
  lastRecord: string | undefined
  hasRecords: boolean
  commit: { lsn: string; time: string } | undefined
}

/** Which records pg_waldump is to print, and which of its lines count. */
export interface DumpFilter {
  args: string[]
  /** A basic regular expression. */
  pattern: string
  /** Only the last line: a segment of 1 GB may have millions. */
  lastOnly: boolean
  /** Only the first line with a time, `2026-11-20 15:04:00.000000`, after this one. */
  firstFrom?: { time: string; orAt: boolean }
}

const transactionEnds: DumpFilter = {
  args: ['--rmgr=Transaction'],
  pattern: 'desc: \\(COMMIT\\|ABORT\\)',
  lastOnly: true,
}

function pipelineFor({ lastOnly, firstFrom }: DumpFilter): string {
  const rest = firstFrom ? `| awk '${firstLineFrom(firstFrom)}'` : lastOnly ? '| tail -n 1' : ''
  return `{ "$@"; echo "status $?" >&2; } | grep "$0" ${rest}`
}

function firstLineFrom({ time, orAt }: { time: string; orAt: boolean }): string {
  const digits = (count: number) => '[0-9]'.repeat(count)
  const pattern = `${digits(4)}-${digits(2)}-${digits(2)} ${digits(2)}:${digits(2)}:${digits(2)}[.]${digits(6)}`
  return `match($0, /${pattern}/) && substr($0, RSTART, RLENGTH) ${orAt ? '>=' : '>'} "${time}" { print; exit }`
}

/**
 * Runs pg_waldump over the segments from one index to another.
 * @throws {PgbkError} `damaged`, naming the segment, when they were to be read to their end and cannot be.
 */
export async function dumpWal(
  desk: SegmentDesk,
  first: number,
  last: number,
  { toItsEnd }: { toItsEnd: boolean },
): Promise<DumpedWal> {
  const { stdout, failure } = await runDump(desk, first, toItsEnd ? last : last + 1, transactionEnds)
  if (toItsEnd && failure !== '' && !holdsNoRecord(failure)) throw damagedAt(desk, first, failure).error
  const lastRecord = /error in WAL record at ([0-9A-F]+\/[0-9A-F]+)/.exec(failure)?.[1]
  return { commit: parseCommit(stdout), lastRecord, hasRecords: lastRecord !== undefined || failure === '' }
}

/** A link to a segment that was renamed or compressed meanwhile leads nowhere: the next attempt finds it again. */
export async function runDump(
  desk: SegmentDesk,
  first: number,
  last: number,
  filter: DumpFilter,
): Promise<{ stdout: string; failure: string }> {
  for (let attempt = 1; ; attempt++) {
    const names: string[] = []
    for (let index = first; index <= last; index++) names.push(await provide(desk, index))
    const range = [names[0] ?? '', names.at(-1) ?? '']
    const command = [desk.program, '--path=.', ...filter.args, ...range]
    const args = ['-c', pipelineFor(filter), filter.pattern, ...command]
    const options = { ...desk.options, cwd: desk.directory }
    const { stdout, stderr } = await runProgram('sh', args, options)
    const failure = stderr.replace(/^status \d+$/m, '').trim()
    if (attempt === 5 || !/could not (open|find) file/.test(failure)) return { stdout, failure }
  }
}

/** The first page is not one of WAL, or all is the rest of a record that began earlier. */
export function holdsNoRecord(failure: string): boolean {
  return /could not find a valid record|WAL segment size/.test(failure)
}

/** `..., lsn: 0/00A00068, prev 0/00A00028, desc: COMMIT 2026-11-21 13:29:11.242948 UTC`, perhaps with more behind. */
export function parseCommit(line: string): DumpedWal['commit'] {
  const match = /, lsn: (\S+), .* desc: [A-Z_]+ .*?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{6}) UTC/.exec(line)
  if (!match) return undefined
  const [, lsn = '', day, time] = match
  return { lsn: lsn.replace(/\/0+(?=.)/, '/'), time: `${day}T${time}Z` }
}

/** What failed names a position or a segment in most cases; else it is where the last good record is. */
export function damagedAt(desk: SegmentDesk, first: number, failure: string): WalDamage {
  const named = /segment ([0-9A-F]{24})/.exec(failure)?.[1]
  const positions = [...failure.matchAll(/\b([0-9A-F]{1,8}\/[0-9A-F]{1,8})\b/g)].map(([, lsn = '']) => lsn)
  const number =
    positions.length > 0 ? segmentNumber(parseLsn(positions.at(-1) ?? ''), desk.segmentSize) : undefined
  const { chain } = desk.wal
  const found = chain.findIndex((segment, at) =>
    named === undefined ? segment.segment === number : nameAt(desk, at) === named,
  )
  const index = found === -1 ? first : found
  const [reason = ''] = failure.replace(/^pg_waldump: (error|fatal): /gm, '').split('\n')
  const error = new PgbkError(
    'damaged',
    `WAL segment ${chain[index]?.name} in ${desk.wal.directory} is damaged: ${reason}`,
    { hint: 'What comes after it cannot be replayed. A later backup, or another copy of the segment, can.' },
  )
  return { index, reason: `it is damaged: ${reason}`, isReadable: true, error }
}

/** The total length of the record that begins at a position. */
export async function lengthOfRecord(
  desk: SegmentDesk,
  index: number,
  lsn: string,
): Promise<{ length: number; isSwitch: boolean }> {
  const range: string[] = []
  for (let at = index; at <= desk.wal.chain.length; at++) range.push(await provide(desk, at))
  const args = ['--path=.', `--start=${lsn}`, '--limit=1', range[0] ?? '', range.at(-1) ?? '']
  const { stdout, stderr } = await runProgram(desk.program, args, { ...desk.options, cwd: desk.directory })
  const length = /^rmgr: .* len \(rec\/tot\): +\d+\/ *(\d+),/m.exec(stdout)?.[1]
  if (length === undefined)
    throw new PgbkError('damaged', `the WAL record at ${lsn} cannot be read: ${stderr.trim()}`)
  return { length: Number(length), isSwitch: /desc: SWITCH/.test(stdout) }
}
