import { minimumOf } from '../snapshot/conf/minimums.js'
import { rangesOf, type SegmentFacts } from '../wal-archive/notes/segment-facts.js'
import { formatLsn, parseLsn } from '../wal-segments/lsn.js'
import { parseCommit } from './wal-dump.js'

/** Gathers lines of pg_waldump, those of each kind in the order of the records, into what planning has to know of each segment. */
export interface RecordCollector {
  take(line: string): void
  /** Of the records that begin in a segment. */
  factsOf(segment: bigint): SegmentFacts
}

/** The records that count, as a basic regular expression for lines of pg_waldump. */
export const countingRecords = 'desc: \\(COMMIT\\|ABORT\\|RESTORE_POINT\\|CREATE\\|PARAMETER_CHANGE\\)'

interface Gathered extends Omit<SegmentFacts, 'xids'> {
  xids: Set<number>
}

export function collectRecords(segmentSize: number): RecordCollector {
  // Numbers are quicker than bigints, and large enough for those of segments.
  const segments = new Map<number, Gathered>()
  const at = (segment: number) => {
    const known = segments.get(segment)
    if (known) return known
    const made = nothingYet()
    segments.set(segment, made)
    return made
  }
  return {
    take: (line) => {
      const [, rmgr, xid = '', high = '', low = '', kind = '', rest = ''] =
        /^rmgr: (\w+) .*?, tx: +(\d+), lsn: ([\dA-F]{1,8})\/([\dA-F]{1,8}), prev \S+, desc: (\w+) ?(.*)$/s.exec(
          line,
        ) ?? []
      if (rmgr === undefined) return
      const perHigh = 0x1_0000_0000 / segmentSize
      const into = at(
        Number.parseInt(high, 16) * perHigh + Math.floor(Number.parseInt(low, 16) / segmentSize),
      )
      if (rmgr === 'Transaction') takeEnd(line, Number(xid), kind, rest, into)
      else takeOther(rmgr, formatLsn(parseLsn(`${high}/${low}`)), kind, rest, into)
    },
    factsOf: (segment) => {
      const { xids, ...facts } = segments.get(Number(segment)) ?? nothingYet()
      return { ...facts, xids: rangesOf(xids) }
    },
  }
}

function nothingYet(): Gathered {
  return {
    newest: null,
    commit: null,
    xids: new Set(),
    restore_points: [],
    tablespaces: [],
    settings: [],
  }
}

/** A transaction that was prepared is ended by another one; savepoints have ids of their own. */
function takeEnd(line: string, xid: number, kind: string, rest: string, into: Gathered): void {
  if (!/^(COMMIT|ABORT)/.test(kind)) return
  into.xids.add(xid)
  const prepared = kind.endsWith('_PREPARED') ? /^\d+/.exec(rest)?.[0] : undefined
  if (prepared !== undefined) into.xids.add(Number(prepared))
  for (const part of (/; subxacts:([ 0-9]*)/.exec(rest)?.[1] ?? '').split(' '))
    if (part !== '') into.xids.add(Number(part))
  const commit = parseCommit(line)
  if (!commit) return
  if (into.newest === null || into.newest < commit.time) into.newest = commit.time
  into.commit = commit
}

/** A tablespace in place (allow_in_place_tablespaces) has no path. */
function takeOther(rmgr: string, lsn: string, kind: string, rest: string, into: Gathered): void {
  const path = kind === 'CREATE' && rmgr === 'Tablespace' ? /^\d+ "(.+)"$/s.exec(rest)?.[1] : undefined
  if (path !== undefined) into.tablespaces.push({ lsn, path })
  if (rmgr !== 'XLOG') return
  if (kind === 'RESTORE_POINT') into.restore_points.push({ lsn, name: rest })
  if (kind === 'PARAMETER_CHANGE') into.settings.push({ lsn, minimums: minimumsOf(rest) })
}

function minimumsOf(values: string): Record<string, number> {
  const found = values.matchAll(/(max_\w+|track_commit_timestamp)=(\w+)/g)
  return Object.fromEntries(
    [...found].map(([, name = '', value = '']) => [
      name.replace('_xact', '_transaction'),
      minimumOf(value) ?? 0,
    ]),
  )
}
