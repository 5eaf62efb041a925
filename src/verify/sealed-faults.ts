import type { StoredBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import type { Fault } from '../errors.js'
import { imageName } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { isEncryptedName } from '../place/encrypted/encrypted-names.js'
import { inParallel } from '../system/files/in-parallel.js'
import { bytePath } from '../system/paths/byte-path.js'
import { filesOf, segmentIn } from '../wal-segments/segment-forms.js'
import { ownSegments } from '../wal-segments/segment-range.js'
import { faultsOfFile, missing } from './files-elsewhere.js'

const atOnce = 4
const ending = '.age'

/**
 * What is wrong with an encrypted backup in a place, as far as that shows without a key: its files are there, as large as they were sent;
 * with `read`, those that never change are what was encrypted. What WAL has in it takes a key.
 * @param place as it lies: what decrypts asks for one.
 */
export async function sealedFaults(
  place: Place,
  backup: StoredBackup,
  read: boolean,
  context: Context,
): Promise<{ faults: Fault[]; segments: number; wal_bytes: number }> {
  const there = new Set<string>((await place.files(backup)).files)
  const faults = await sealedFileFaults(place, backup, { read, wanted: () => true }, context)
  faults.push(...clearFaults(there))
  for (const segment of ownSegments(backup.summary).names())
    if (!filesOf(segment).some((file) => there.has(`wal/${file}${ending}`)))
      faults.push({ file: `wal/${segment}${ending}`, problem: missing })
  const wal = [...there].filter((name) => name.startsWith('wal/') && name.endsWith(ending))
  const segments = wal.filter((name) => segmentIn(name.slice('wal/'.length, -ending.length)) !== undefined)
  return { faults, segments: segments.length, wal_bytes: segments.length * backup.summary.wal_segment_size }
}

/** What can hold data, and lies beside an encrypted backup as everybody can read it. */
export function clearFaults(there: Iterable<string>): Fault[] {
  const holdsData = (name: string) =>
    name === imageName || name.startsWith('snapshot/') || segmentIn(name.replace(/^wal\//, '')) !== undefined
  return [...there]
    .filter((name) => !isEncryptedName(name) && holdsData(name))
    .map((file) => ({ file, problem: 'it is not encrypted, beside a backup that is: remove it' }))
}

/** The same of those files alone that never change, as the record in clear tells them. */
export async function sealedFileFaults(
  place: Place,
  backup: StoredBackup,
  { read, wanted }: { read: boolean; wanted: (file: string) => boolean },
  context: Context,
): Promise<Fault[]> {
  const files = Object.entries(backup.summary.encrypted?.files ?? {}).filter(([name]) => wanted(name))
  const faults: Fault[] = []
  await inParallel(files, read ? 1 : atOnce, async ([name, facts]) => {
    const file = { name: bytePath(name), ...facts }
    faults.push(...(await faultsOfFile(place, backup, file, read, context)))
  })
  return faults
}
