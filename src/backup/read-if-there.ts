import { readFileSync, statSync } from 'node:fs'
import { systemCode } from '../errors.js'

/** The text of a file that most backups do not have; undefined where it is not there. Cheap for thousands of them. */
export function readIfThere(path: string): string | undefined {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
