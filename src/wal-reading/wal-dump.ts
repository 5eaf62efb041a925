import { PgbkError } from '../errors.js'
import { runProgram } from '../system/program/run-program.js'
import { parseLsn, segmentNumber } from '../wal-segments/lsn.js'
import { damageOf, type WalDamage } from './wal-damage.js'
import { nameAt, type WaldumpDirectory, type WalStep, withSegments } from './waldump-directory.js'

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

/** Its arguments are the pattern as `$0`, then a time, and then the command. */
function pipelineFor({ lastOnly, firstFrom }: DumpFilter): string {
  const rest = firstFrom ? `| awk '${firstLineFrom(firstFrom.orAt)}'` : lastOnly ? '| tail -n 1' : ''
  return `from=$1; export from; shift; { "$@"; echo "status $?" >&2; } | grep "$0" ${rest}`
}

function firstLineFrom(orAt: boolean): string {
  const digits = (count: number) => '[0-9]'.repeat(count)
  const pattern = `${digits(4)}-${digits(2)}-${digits(2)} ${digits(2)}:${digits(2)}:${digits(2)}[.]${digits(6)}`
  // Joined with nothing, both are compared as texts.
  const found = 'substr($0, RSTART, RLENGTH) ""'
  return `match($0, /${pattern}/) && (${found}) ${orAt ? '>=' : '>'} (ENVIRON["from"] "") { print; exit }`
}

/**
 * Runs pg_waldump over the segments from one index to another.
 * @throws {PgbkError} `damaged`, naming the segment, when they were to be read to their end and cannot be.
 */
export async function dumpWal(
  waldump: WaldumpDirectory,
  first: number,
  last: number,
  { toItsEnd }: { toItsEnd: boolean },
): Promise<DumpedWal> {
  const { stdout, failure } = await runDump(waldump, first, toItsEnd ? last : last + 1, transactionEnds)
  if (toItsEnd && failure !== '' && !holdsNoRecord(failure)) throw damagedAt(waldump, first, failure).error
  const lastRecord = /error in WAL record at ([0-9A-F]+\/[0-9A-F]+)/.exec(failure)?.[1]
  return { commit: parseCommit(stdout), lastRecord, hasRecords: lastRecord !== undefined || failure === '' }
}

/** The same for any records; what pg_waldump says of the end of the WAL is the failure. */
export async function runDump(
  waldump: WaldumpDirectory,
  first: number,
  last: number,
  filter: DumpFilter,
): Promise<{ stdout: string; failure: string }> {
  const dump = async (names: string[]) => {
    const range = [names[0] ?? '', names.at(-1) ?? '']
    const command = [waldump.program, '--path=.', ...filter.args, ...range]
    const args = ['-c', pipelineFor(filter), filter.pattern, filter.firstFrom?.time ?? '', ...command]
    const options = { ...waldump.options, cwd: waldump.directory }
    const { stdout, stderr } = await runProgram('sh', args, options)
    return { stdout, failure: stderr.replace(/^status \d+$/m, '').trim() }
  }
  return withSegments(waldump, { first, last }, dump, ({ failure }) => failure === '')
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
export function damagedAt(waldump: WaldumpDirectory, first: number, failure: string): WalDamage {
  const named = /segment ([0-9A-F]{24})/.exec(failure)?.[1]
  const positions = [...failure.matchAll(/\b([0-9A-F]{1,8}\/[0-9A-F]{1,8})\b/g)].map(([, lsn = '']) => lsn)
  const number =
    positions.length > 0 ? segmentNumber(parseLsn(positions.at(-1) ?? ''), waldump.segmentSize) : undefined
  const { chain } = waldump.wal
  const found = chain.findIndex((segment, at) =>
    named === undefined ? segment.segment === number : nameAt(waldump, at) === named,
  )
  const index = found === -1 ? first : found
  const [reason = ''] = failure.replace(/^pg_waldump: (error|fatal): /gm, '').split('\n')
  return damageOf(chain, index, { reason: `it is damaged: ${reason}`, isReadable: true })
}

/**
 * Runs pg_waldump for the one record that begins at a position, or behind it, in the first of some segments.
 * @param limit arguments that tell it where the WAL ends.
 * @returns its line, undefined where there is none; and what pg_waldump said else.
 */
export function dumpRecord(
  waldump: WaldumpDirectory,
  step: WalStep,
  lsn: string,
  limit: string[] = [],
): Promise<{ line: string | undefined; failure: string }> {
  const dump = async (names: string[]) => {
    const range = [names[0] ?? '', names.at(-1) ?? '']
    const args = ['--path=.', `--start=${lsn}`, ...limit, '--limit=1', ...range]
    const { stdout, stderr } = await runProgram(waldump.program, args, {
      ...waldump.options,
      cwd: waldump.directory,
    })
    return { line: /^rmgr: .*$/m.exec(stdout)?.[0], failure: stderr.trim() }
  }
  return withSegments(waldump, step, dump, ({ line }) => line !== undefined)
}

/** The total length of the record that begins at a position. */
export async function lengthOfRecord(
  waldump: WaldumpDirectory,
  index: number,
  lsn: string,
): Promise<{ length: number; isSwitch: boolean }> {
  const step = { first: index, last: waldump.wal.chain.length }
  const { line = '', failure } = await dumpRecord(waldump, step, lsn)
  const length = / len \(rec\/tot\): +\d+\/ *(\d+),/.exec(line)?.[1]
  if (length === undefined)
    throw new PgbkError('damaged', `the WAL record at ${lsn} cannot be read: ${failure}`, {
      facts: { lsn, said: failure },
    })
  return { length: Number(length), isSwitch: /desc: SWITCH/.test(line) }
}
