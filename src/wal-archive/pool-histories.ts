import { parseLsn } from '../wal-segments/lsn.js'
import { type TimelinePart, type TimelineSwitch, timelinePath } from '../wal-segments/timeline-path.js'
import type { Archive, Histories } from './archive-index.js'
import type { WalNeeds } from './archived-wal.js'

/** What the history files of several archives say together. */
export interface AgreedHistories {
  histories: Histories
  /** The archives that tell another history: after two promotions, one timeline may be two. */
  contradicting: ReadonlySet<string>
}

/** The histories of an archive and of others, the most trusted first; those that contradict what is known by then do not count. */
export function agreedHistories(own: Archive, others: Archive[]): AgreedHistories {
  const histories = new Map(own.histories)
  const contradicting = new Set<string>()
  // Behind a promotion, all archives tell the same.
  const judged = new Map<string, boolean>()
  for (const other of others) {
    const known = judged.get(other.told)
    const all = known === undefined ? [...other.histories] : []
    const isAgreed = known ?? all.every(([timeline, { ancestors }]) => agrees(timeline, ancestors, histories))
    judged.set(other.told, isAgreed)
    if (!isAgreed) contradicting.add(other.directory)
    else for (const [timeline, history] of all) histories.set(timeline, histories.get(timeline) ?? history)
  }
  return { histories, contradicting }
}

/** Whether a history tells the same as others of each timeline that both know, and of all before that. */
function agrees(timeline: number, ancestors: TimelineSwitch[], known: Histories): boolean {
  const isSame = (one: TimelineSwitch[], other: TimelineSwitch[]) => textOf(one) === textOf(other)
  const before = (index: number) => ancestors.slice(0, index)
  const toldHere = [
    ...ancestors.map((one, index) => [one.timeline, before(index)] as const),
    [timeline, ancestors] as const,
  ]
  const agreesHere = toldHere.every(([one, told]) => {
    const other = known.get(one)
    return other === undefined || isSame(other.ancestors, told)
  })
  const toldThere = [...known].flatMap(([, other]) => {
    const index = other.ancestors.findIndex((one) => one.timeline === timeline)
    return index === -1 ? [] : [other.ancestors.slice(0, index)]
  })
  return agreesHere && toldThere.every((told) => isSame(told, ancestors))
}

function textOf(ancestors: TimelineSwitch[]): string {
  return ancestors.map(({ timeline, switchLsn }) => `${timeline}:${switchLsn}`).join()
}

/**
 * The ways through the timelines from a snapshot on: to each timeline that is known to descend from its own, the newest first, then
 * as its own archive alone knows it.
 */
export function waysFrom(
  { timeline, stop_lsn }: WalNeeds,
  all: Histories,
  own: Histories,
  wanted: number | undefined,
): TimelinePart[][] {
  const position = parseLsn(stop_lsn)
  const wayBy = (histories: Histories, accepts: (one: number) => boolean) =>
    timelinePath(
      timeline,
      position,
      new Map([...histories].filter(([one]) => accepts(one)).map(([one, { ancestors }]) => [one, ancestors])),
    )
  if (wanted !== undefined) return [wayBy(all, (one) => one === wanted)]
  const newestFirst = [...all.keys()].sort((one, other) => other - one)
  const ways = newestFirst.map((newest) => wayBy(all, (one) => one === newest))
  return [...ways.filter((way) => way.length > 1), wayBy(own, () => true)]
}
