import { v } from '../../schema.js'
import type { Instant } from '../../text/instant.js'

const lsn = v.pipe(v.string(), v.regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/))
const time = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/))
const number = v.pipe(v.number(), v.integer(), v.minValue(0))

/** Of each kind; a segment with more of them is read each time. */
const mostOfAKind = 64
/** Ranges of transaction ids. */
const mostRanges = 16

const few = <T>(item: v.GenericSchema<unknown, T>, most: number) => v.pipe(v.array(item), v.maxLength(most))

export const factsSchema = v.strictObject({
  /** The newest time at which a transaction was ended: the clocks of a server may go back. */
  newest: v.nullable(time),
  /** The last end of a transaction. */
  commit: v.nullable(v.strictObject({ lsn, time })),
  /** Ranges with all transactions in them that are ended here, parts of them and prepared ones too; others may lie between. */
  xids: few(v.strictTuple([number, number]), mostRanges),
  restore_points: few(v.strictObject({ lsn, name: v.string() }), mostOfAKind),
  /** Tablespaces that are made, with their paths. */
  tablespaces: few(v.strictObject({ lsn, path: v.string() }), mostOfAKind),
  /** Settings that a recovery needs at least, as they are changed here. */
  settings: few(v.strictObject({ lsn, minimums: v.record(v.string(), number) }), mostOfAKind),
})

/** What the planning of a recovery has to know of the records that begin in one segment of WAL. */
export type SegmentFacts = v.InferOutput<typeof factsSchema>

/** Whether they are so few that they can be noted. */
export function isShort({ restore_points, tablespaces, settings }: SegmentFacts): boolean {
  return [restore_points, tablespaces, settings].every(({ length }) => length <= mostOfAKind)
}

/** Whether a transaction may be ended there. */
export function mayEnd({ xids }: SegmentFacts, xid: string): boolean {
  return xids.some(([from, to]) => from <= Number(xid) && Number(xid) <= to)
}

/** Whether a transaction is ended there after a time, or, with `orAt`, not before it. */
export function hasEndAfter({ newest }: SegmentFacts, after: Instant, orAt: boolean): boolean {
  return newest !== null && (newest > after || (orAt && newest === after))
}

/** Sorted numbers as few ranges, which leave out the widest gaps. */
export function rangesOf(numbers: Iterable<number>, most = mostRanges): [number, number][] {
  const sorted = Float64Array.from(new Set(numbers)).sort()
  if (sorted.length === 0) return []
  const gaps: { at: number; width: number }[] = []
  for (let at = 1; at < sorted.length; at++) {
    const width = (sorted[at] ?? 0) - (sorted[at - 1] ?? 0)
    if (width > 1) gaps.push({ at, width })
  }
  const widest = gaps.sort((one, other) => other.width - one.width).slice(0, most - 1)
  const starts = [0, ...widest.map(({ at }) => at).sort((one, other) => one - other), sorted.length]
  return starts.slice(0, -1).map((start, index) => {
    const end = starts[index + 1] ?? sorted.length
    return [sorted[start] ?? 0, sorted[end - 1] ?? 0]
  })
}
