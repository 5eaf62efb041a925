import { parseLsn } from '../backup/lsn.js'
import { type ArchiveEndSearch, mostBytesAtOnce, waldumpOf } from './archive-end.js'
import { type DumpFilter, parseCommit, runDump, withSegmentDesk } from './wal-dump.js'

/** A place in the WAL at which a recovery can stop. */
export interface WalPlace {
  lsn: string
  /** UTC, ISO 8601; undefined for a record that has none. */
  time: string | undefined
}

/** The end of a transaction in an archive, its commit or abort; undefined when it is not there. */
export function findTransactionEnd(search: ArchiveEndSearch, xid: string): Promise<WalPlace | undefined> {
  const filter = {
    args: ['--rmgr=Transaction', `--xid=${xid}`],
    pattern: 'desc: \\(COMMIT\\|ABORT\\)',
    lastOnly: false,
  }
  return findFirst(search, filter, () => true)
}

/** The first restore point of this name (pg_create_restore_point) in an archive; undefined when it is not there. */
export function findRestorePoint(search: ArchiveEndSearch, name: string): Promise<WalPlace | undefined> {
  const filter = { args: ['--rmgr=XLOG'], pattern: 'desc: RESTORE_POINT ', lastOnly: false }
  return findFirst(search, filter, (line) => line.endsWith(`desc: RESTORE_POINT ${name}`))
}

/**
 * Reads a chain of segments from its beginning, as many at a time as may lie unpacked on disk.
 * @throws {PgbkError} `programs-missing` without pg_waldump of this major.
 */
async function findFirst(
  search: ArchiveEndSearch,
  filter: DumpFilter,
  accepts: (line: string) => boolean,
): Promise<WalPlace | undefined> {
  const { wal, from = 0n } = search
  const program = waldumpOf(search.major, search.installations)
  const step = Math.max(1, Math.floor(mostBytesAtOnce / wal.segmentSize))
  const start = wal.chain.findIndex(({ segment }) => segment >= from)
  return withSegmentDesk(program, wal, search, async (desk) => {
    for (let first = Math.max(0, start); first < wal.chain.length; first += step) {
      // One more than the step: a record may end in the next segment.
      const { stdout } = await runDump(desk, first, Math.min(first + step, wal.chain.length), filter)
      const line = stdout.split('\n').find(accepts)
      if (line) return placeOf(line)
      await desk.clear(first)
    }
    return undefined
  })
}

function placeOf(line: string): WalPlace | undefined {
  const lsn = /, lsn: (\S+),/.exec(line)?.[1]
  if (lsn === undefined) return undefined
  return { lsn: lsn.replace(/\/0+(?=.)/, '/'), time: parseCommit(line)?.time }
}

/** Whether a position lies before another. */
export function isBefore(lsn: string, other: string): boolean {
  return parseLsn(lsn) < parseLsn(other)
}
