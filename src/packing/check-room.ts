import { PgbkError } from '../errors.js'
import { freeBytes } from '../system/files/measure.js'
import { formatBytes } from '../text/format.js'

/** Makes sure that the new form fits beside the old one. @param made how it is called. @throws {PgbkError} `disk-full`. */
export async function checkRoom(
  made: { name: string; bytes: number },
  directory: string,
  oldForm: string,
): Promise<void> {
  const free = await freeBytes(directory)
  if (made.bytes <= free) return
  throw new PgbkError(
    'disk-full',
    `${made.name} needs ${formatBytes(made.bytes)}, and ${formatBytes(free)} are free in ${directory}`,
    { hint: `${oldForm} stays beside it until it is verified. Make room there.` },
  )
}
