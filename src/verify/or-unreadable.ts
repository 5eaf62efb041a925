import type { ReadableBackup } from '../catalog/backup.js'
import { type Fault, PgbkError, systemCode, systemReason } from '../errors.js'
import { relativeInside } from '../system/paths/inside.js'

/** A file or directory of the backup that cannot be read is a fault of it, as for whoever is to restore it. */
export async function orUnreadable(
  { directory, snapshot }: ReadableBackup,
  look: () => Fault[] | Promise<Fault[]>,
): Promise<Fault[]> {
  const nameOf = (path: string) => {
    const inSnapshot = relativeInside(snapshot, path)
    return inSnapshot === undefined ? relativeInside(directory, path) : `snapshot/${inSnapshot}`
  }
  try {
    return await look()
  } catch (error) {
    // A directory that is none, and files that are none or too large.
    if (error instanceof PgbkError && error.code === 'damaged') return [faultOf(nameOf, error)]
    const { path } = (error ?? {}) as { path?: unknown }
    if (systemCode(error) === undefined || typeof path !== 'string') throw error
    const file = nameOf(path)
    if (file === undefined) throw error
    return [{ file, problem: `it cannot be read: ${systemReason(error)}` }]
  }
}

function faultOf(
  nameOf: (path: string) => string | undefined,
  { message, facts: { path = '', reason = message } }: PgbkError,
): Fault {
  const file = nameOf(path)
  return file === undefined ? { file: '.', problem: message } : { file, problem: reason }
}
