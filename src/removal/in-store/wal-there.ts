import type { StoredBackup } from '../../catalog/backup.js'
import { keysOf } from '../../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../../place/store/object-store.js'
import { parseSegmentName, segmentName } from '../../wal-segments/lsn.js'
import { filesOf, segmentIn } from '../../wal-segments/segment-forms.js'
import { mostSegments, ownSegments } from '../../wal-segments/segment-range.js'

/**
 * The WAL of a backup in a store. A list may come late, and lack what was sent last: so the segments that would come next, and the first
 * one, are asked for by their keys. What it lacks of a timeline from which it has nothing is not found.
 */
export async function walThere(store: ObjectStore, backup: StoredBackup): Promise<StoredObject[]> {
  const top = `${keysOf.backup(backup.id).top}wal/`
  const found: StoredObject[] = []
  for await (const object of store.list(top)) found.push(object)
  const ending = backup.form === 'encrypted' ? '.age' : ''
  const known = new Set(
    found.map(({ key }) => segmentIn(key.slice(top.length, key.length - (key.endsWith('.age') ? 4 : 0)))),
  )
  const { wal_segment_size: size } = backup.summary
  const [first = ''] = ownSegments(backup.summary).names()
  const next = [first, ...[...known].map((name) => name && nameAfter(name, size))]
  for (let name = next.pop(); next.length > 0 || name !== undefined; name = next.pop()) {
    if (!name || known.has(name) || known.size > mostSegments) continue
    known.add(name)
    const files = await Promise.all(filesOf(name).map((file) => store.stat(`${top}${file}${ending}`)))
    const there = files.filter((one) => one !== undefined)
    found.push(...there)
    if (there.length > 0) next.push(nameAfter(name, size))
  }
  return found
}

/** Undefined for what is no name of a segment of this size. */
function nameAfter(name: string, size: number): string | undefined {
  const place = parseSegmentName(name, size)
  return place && segmentName(place.timeline, place.segment + 1n, size)
}
