import type { StoredBackup } from '../../catalog/backup.js'
import { keysOf } from '../../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../../place/store/object-store.js'
import { parseSegmentName, segmentName } from '../../wal-segments/lsn.js'
import {
  filesOf,
  finishedForms,
  isFinished,
  segmentFileOf,
  unfinishedForms,
} from '../../wal-segments/segment-forms.js'
import { mostSegments, ownSegments } from '../../wal-segments/segment-range.js'
import { unlessDamaged } from './unless-damaged.js'

/** Where a list has more gaps than a list that comes late, nobody asks for what is in them. */
const mostGaps = 64

/**
 * The WAL of a backup in a store. A list may come late: it lacks what was sent last, and shows what has been replaced since. So the first
 * segment, those that would come next, and those that were not finished are asked for by their keys, and the histories of the timelines.
 * What it lacks of a timeline from which it has nothing is not found.
 */
export async function walThere(store: ObjectStore, backup: StoredBackup): Promise<StoredObject[]> {
  const top = `${keysOf.backup(backup.id).top}wal/`
  const ending = backup.form === 'encrypted' ? '.age' : ''
  const { wal_segment_size: size } = backup.summary
  const fileIn = ({ key }: StoredObject) =>
    key.endsWith(ending) ? key.slice(top.length, key.length - ending.length) : ''
  const ask = async (files: string[]) => {
    const found = await Promise.all(
      files.map((file) => unlessDamaged(() => store.stat(`${top}${file}${ending}`))),
    )
    // What is odd there is no WAL.
    return found.filter((one): one is StoredObject => one !== undefined && 'key' in one)
  }

  const { found, finished, unfinished } = await listed(store, top, fileIn)
  const [first = ''] = ownSegments(backup.summary).names()
  const gaps = [...finished].map((name) => nameAfter(name, size)).filter((name) => !finished.has(name))
  const next = [first, ...unfinished, ...gaps.sort().slice(-mostGaps)]
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    if (name === '' || finished.has(name) || finished.size > mostSegments) continue
    finished.add(name)
    const whole = await ask(filesOf(name, finishedForms))
    const there = whole.length > 0 ? whole : await ask(filesOf(name, unfinishedForms))
    found.push(...there)
    if (there.length > 0) next.push(nameAfter(name, size))
  }
  return [...found, ...(await ask(historiesLacked(found.map(fileIn))))]
}

/** What a list shows, without segments that are not finished, of which the names are told. */
async function listed(store: ObjectStore, top: string, fileIn: (object: StoredObject) => string) {
  const found: StoredObject[] = []
  const [finished, unfinished] = [new Set<string>(), new Set<string>()]
  for await (const object of store.list(top)) {
    const segment = segmentFileOf(fileIn(object))
    const names = segment && !isFinished(segment) ? unfinished : finished
    if (segment) names.add(segment.name)
    if (names === finished) found.push(object)
  }
  return { found, finished, unfinished }
}

/** Of the timelines from which there is something; the first one has none. */
function historiesLacked(files: string[]): string[] {
  const timelines = new Set(files.flatMap((file) => segmentFileOf(file)?.name.slice(0, 8) ?? []))
  return [...timelines]
    .filter((timeline) => timeline !== '00000001')
    .map((timeline) => `${timeline}.history`)
    .filter((file) => !files.includes(file))
}

/** Empty for what is no name of a segment of this size. */
function nameAfter(name: string, size: number): string {
  const place = parseSegmentName(name, size)
  return place ? segmentName(place.timeline, place.segment + 1n, size) : ''
}
