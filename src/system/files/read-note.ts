import { PgbkError, systemCode } from '../../errors.js'
import { checkJson, type v } from '../../schema.js'
import { mostBytes, readSmallText } from './read-small.js'

/**
 * What a small JSON file of pgbk says; undefined where it is not there, is closed to the caller, or is not understood: another kind of
 * file may be in its place, or one without end.
 */
export function readNote<T>(
  schema: v.GenericSchema<unknown, T>,
  path: string,
  most = mostBytes.note,
): T | undefined {
  try {
    return checkJson(schema, readSmallText(path, most)).value
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}
