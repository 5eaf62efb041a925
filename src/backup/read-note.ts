import { readFileSync } from 'node:fs'
import { systemCode } from '../errors.js'
import { checkJson, type v } from '../schema.js'

/** What a small JSON file of pgbk says; undefined where it is not there, is closed to the caller, or is not understood. */
export function readNote<T>(schema: v.GenericSchema<unknown, T>, path: string): T | undefined {
  try {
    return checkJson(schema, readFileSync(path, 'utf8')).value
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}
