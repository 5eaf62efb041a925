import { segmentName, segmentNumber } from './lsn.js'
import type { TimelinePart } from './timeline-path.js'

/**
 * The names that a segment can have: that of the newest timeline which has begun by then, and, where that one begins in this very
 * segment, its parent's, which may be all there is.
 */
export function namesOf(number: bigint, timelines: TimelinePart[], segmentSize: number): string[] {
  const names: string[] = []
  for (const { timeline, fromLsn } of [...timelines].reverse()) {
    const first = segmentNumber(fromLsn, segmentSize)
    if (first > number) continue
    names.push(segmentName(timeline, number, segmentSize))
    if (first < number) break
  }
  return names
}

/** The first segment after this one in which another timeline begins; undefined when none does. */
export function nextSwitchAfter(
  number: bigint,
  timelines: TimelinePart[],
  segmentSize: number,
): bigint | undefined {
  return timelines.map(({ fromLsn }) => segmentNumber(fromLsn, segmentSize)).find((first) => first > number)
}
