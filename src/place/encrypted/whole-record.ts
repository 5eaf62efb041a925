import { type StoredBackup, storedBackup } from '../../catalog/backup.js'
import { checkId } from '../../catalog/catalog.js'
import { differenceOf } from '../../catalog/entries/clear-record.js'
import { checkRecord, clearRecordIn, summarize } from '../../catalog/record.js'
import { PgbkError } from '../../errors.js'
import type { Place } from '../contract/place.js'

/**
 * A backup of a place with its whole record, which is not always in a list: that of an encrypted one takes a key, and of many large ones
 * only a part is kept. Whoever needs more of a backup than a list shows asks for it first.
 * @throws {PgbkError} `config` where no identity decrypts it; `damaged`, also where its record tells something else than what is in clear.
 */
export async function withWholeRecord(
  place: Pick<Place, 'name' | 'readRecord'>,
  backup: StoredBackup,
): Promise<StoredBackup> {
  const clear = clearRecordIn(backup.raw)
  if (!clear && !backup.isPart) return backup
  const json = (await place.readRecord(backup)).toString()
  const [read, full] = named(place.name, backup.id, () => {
    const found = summarize(json)
    checkId(found, backup.id)
    return [found, checkRecord(found.raw)]
  })
  const { hold, proof, state } = backup
  if (!clear) return storedBackup(read, state, { hold, proof })
  const difference = differenceOf(clear, full)
  if (difference !== undefined || !read.summary.packed)
    throw new PgbkError(
      'damaged',
      `backup ${backup.id} is not what its backup.json tells: its encrypted record has another ${difference ?? 'form'}`,
      { hint: 'Somebody has changed it, or put it together. Choose another backup.' },
    )
  const opened = storedBackup(read, state, { hold, proof })
  const summary = { ...opened.summary, encrypted: clear.encrypted }
  return { ...opened, summary, storedBytes: backup.storedBytes, ownBytes: backup.ownBytes }
}

/** Whoever reads one record of many does not know otherwise which. */
function named<T>(place: string, id: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof PgbkError)) throw cause
    const hint =
      cause.hint ?? 'Somebody has changed it, or put another file in its place. Choose another backup.'
    const facts = { ...cause.facts, reason: cause.message }
    throw new PgbkError(cause.code, `backup ${id} in ${place}: ${cause.message}`, { cause, hint, facts })
  }
}
