import { isDiskFull, PgbkError } from '../errors.js'
import { freeBytes } from '../system/files/measure.js'
import { formatBytes } from '../text/format.js'

const hint = 'Make room there, or name another place with XDG_CACHE_HOME.'

/** Makes sure that what is borrowed has room. @throws {PgbkError} `disk-full`. */
export async function checkCacheRoom(directory: string, needed: number, id: string): Promise<void> {
  const free = await freeBytes(directory)
  if (free >= needed) return
  throw new PgbkError(
    'disk-full',
    `backup ${id} needs ${formatBytes(needed)} for as long as it is used, and ${formatBytes(free)} are free in ${directory}`,
    { hint },
  )
}

/** Brings something to a directory, where it may turn out to be more than there was room for. @throws {PgbkError} `disk-full`. */
export async function intoCacheRoom<T>(directory: string, id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause
    throw new PgbkError('disk-full', `there is no room for what is used of backup ${id} in ${directory}`, {
      hint,
      cause,
    })
  }
}
