import type { Instant } from '../text/instant.js'
import { formatLsn, parseLsn, recordEnd, segmentNumber } from '../wal-segments/lsn.js'
import { type DumpFilter, dumpRecord, parseCommit, runDump } from './wal-dump.js'
import type { WaldumpDirectory, WalStep } from './waldump-directory.js'

/** A record at which a recovery can stop. */
export interface RecordPosition {
  /** Where it begins. */
  lsn: string
  /** Where it ends. */
  end: string
  /** Where the record before it begins. */
  previous: string
  /** UTC, ISO 8601; undefined for a record that has none. */
  time: string | undefined
}

/** What is looked for: the first record of its kind counts. */
export type RecordQuery =
  /** The end of a transaction after a time, or, with `orAt`, not before it. */
  | { kind: 'commit'; after: Instant; orAt: boolean }
  /** The end of the transaction that this one is, or is a part of. */
  | { kind: 'xid'; xid: string }
  /** A restore point (pg_create_restore_point), not before an LSN. */
  | { kind: 'name'; name: string; from: string }
  /** A record that begins at a position or behind it. */
  | { kind: 'lsn'; lsn: string }

/**
 * Looks for a record in some segments of a chain.
 * @param limit arguments that tell pg_waldump where the WAL ends.
 */
export async function findRecord(
  waldump: WaldumpDirectory,
  step: WalStep,
  query: RecordQuery,
  limit: string[],
): Promise<RecordPosition | undefined> {
  if (query.kind === 'lsn') return recordFrom(waldump, step, query.lsn, limit)
  const { args, accepts = () => true, ...filter } = filterFor(query)
  const { stdout } = await runDump(waldump, step.first, step.last, { ...filter, args: [...limit, ...args] })
  const positions = positionsIn(stdout.split('\n').filter(accepts), waldump)
  return query.kind === 'name'
    ? positions.find(({ lsn }) => parseLsn(lsn) >= parseLsn(query.from))
    : positions[0]
}

interface RecordFilter extends DumpFilter {
  accepts?(line: string): boolean
}

function filterFor(query: Exclude<RecordQuery, { kind: 'lsn' }>): RecordFilter {
  switch (query.kind) {
    case 'commit':
      return {
        args: ['--rmgr=Transaction'],
        pattern: 'desc: \\(COMMIT\\|ABORT\\)',
        lastOnly: false,
        firstFrom: { time: query.after.replace('T', ' ').replace('Z', ''), orAt: query.orAt },
      }
    case 'xid': {
      // A transaction that was prepared is ended by another one; savepoints have ids of their own.
      const own = `, tx: *${query.xid}, .* desc: \\(COMMIT\\|ABORT\\) `
      const prepared = `desc: \\(COMMIT\\|ABORT\\)_PREPARED ${query.xid}: `
      const part = `desc: \\(COMMIT\\|ABORT\\).*; subxacts:[ 0-9]* ${query.xid}\\($\\|[ ;]\\)`
      return {
        args: ['--rmgr=Transaction'],
        pattern: `${own}\\|${prepared}\\|${part}`,
        lastOnly: false,
      }
    }
    case 'name':
      return {
        args: ['--rmgr=XLOG'],
        pattern: 'desc: RESTORE_POINT ',
        lastOnly: false,
        accepts: (line) => /, desc: RESTORE_POINT (.*)$/.exec(line)?.[1] === query.name,
      }
  }
}

function positionsIn(lines: string[], { segmentSize }: WaldumpDirectory): RecordPosition[] {
  return lines.flatMap((line) => {
    const [, length, lsn, previous] =
      / len \(rec\/tot\): +\d+\/ *(\d+), .*?, lsn: (\S+), prev (\S+), desc: /.exec(line) ?? []
    if (lsn === undefined || previous === undefined) return []
    const end = formatLsn(recordEnd(parseLsn(lsn), Number(length), segmentSize))
    return [{ lsn: short(lsn), end, previous: short(previous), time: parseCommit(line)?.time }]
  })
}

function short(lsn: string): string {
  return lsn.replace(/\/0+(?=.)/, '/')
}

async function recordFrom(
  waldump: WaldumpDirectory,
  { first, last }: WalStep,
  lsn: string,
  limit: string[],
): Promise<RecordPosition | undefined> {
  const number = segmentNumber(parseLsn(lsn), waldump.segmentSize)
  const index = waldump.wal.chain.findIndex(({ segment }) => segment === number)
  if (index < first || index > last) return undefined
  const { line } = await dumpRecord(waldump, { first: index, last }, lsn, limit)
  return line === undefined ? undefined : positionsIn([line], waldump)[0]
}
