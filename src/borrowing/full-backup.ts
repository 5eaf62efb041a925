import { type StoredBackup, storedBackup } from '../catalog/backup.js'
import { summarize } from '../catalog/record.js'
import type { Place } from '../place/contract/place.js'

/** A listed backup with all that its record says: what a list tells of an encrypted one is only what it takes no key for. */
export async function fullBackup(place: Place, listed: StoredBackup): Promise<StoredBackup> {
  if (listed.form !== 'encrypted') return listed
  const { state, hold, proof } = listed
  return storedBackup(summarize((await place.readRecord(listed)).toString()), state, { hold, proof })
}
