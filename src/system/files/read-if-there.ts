import { PgbkError, systemCode } from '../../errors.js'
import { mostBytes, readSmallIfThere } from './read-small.js'

/**
 * The text of a note that most backups do not have; undefined where it is not there, `unreadable` for what can be no note, or is closed. Cheap for
 * thousands of them.
 */
export function readIfThere(path: string): { text: string } | 'unreadable' | undefined {
  try {
    const text = readSmallIfThere(path, mostBytes.note)
    return text === undefined ? undefined : { text }
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return 'unreadable'
    // Closed, or a directory above it is.
    if (['EACCES', 'EPERM'].includes(systemCode(error) ?? '')) return 'unreadable'
    throw error
  }
}
