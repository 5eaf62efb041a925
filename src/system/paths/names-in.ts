import { readdirSync } from 'node:fs'
import { systemCode } from '../../errors.js'

/** The names in a directory; none when it is not there, or when it fails in a way that the caller forgives too (`EACCES`). */
export function namesIn(directory: string, ...forgiven: string[]): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', ...forgiven].includes(systemCode(error) ?? '')) return []
    throw error
  }
}
