import { lstatSync } from 'node:fs'
import { PgbkError, systemCode } from '../../errors.js'
import { checkJson, type v } from '../../schema.js'
import { mostBytes, readSmallText } from './read-small.js'

/**
 * What a small JSON file of pgbk says, or why it says nothing: it is not there, is closed to the caller (or a directory above it is),
 * is something else than a file or without end (`foreign`: no pgbk puts that there), or has another text (`garbled`).
 */
type NoteReading<T> = { value: T } | { value?: undefined; why: 'absent' | 'closed' | 'foreign' | 'garbled' }

/** Reads one. Cheap where it is not there, as thousands of them are not. @throws a system error of another kind. */
export function lookAtNote<T>(
  schema: v.GenericSchema<unknown, T>,
  path: string,
  most = mostBytes.note,
): NoteReading<T> {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return { why: 'absent' }
    const { value, faults } = checkJson(schema, readSmallText(path, most))
    return faults ? { why: 'garbled' } : { value }
  } catch (cause) {
    if (cause instanceof PgbkError && cause.code === 'damaged') return { why: 'foreign' }
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(cause) ?? '')) return { why: 'absent' }
    if (['EACCES', 'EPERM'].includes(systemCode(cause) ?? '')) return { why: 'closed' }
    throw cause
  }
}

/** What it says; undefined where it says nothing, for whatever reason. */
export function readNote<T>(schema: v.GenericSchema<unknown, T>, path: string, most?: number): T | undefined {
  return lookAtNote(schema, path, most).value
}

/** What one says that must be there. @throws {PgbkError} `damaged` for anything else; a system error when it cannot be read. */
export function needNote<T>(schema: v.GenericSchema<unknown, T>, path: string): T {
  const { value, faults } = checkJson(schema, readSmallText(path, mostBytes.note))
  if (faults) throw new PgbkError('damaged', `${path} is unreadable: ${faults.slice(0, 3).join('; ')}`)
  return value
}
