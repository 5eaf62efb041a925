import { type ErrorCode, exitStatuses, PgbkError } from '../errors.js'
import { v } from '../schema.js'
import { tryToWriteNote } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'
import type { Fetched } from './image-reader.js'

/** What the process that fetches says of it: what has come so far, and what has failed last. */
export interface FetchNote extends Fetched {
  failure?: { code: ErrorCode; message: string; hint?: string | undefined } | undefined
}

const codes = Object.keys(exitStatuses) as ErrorCode[]

const schema: v.GenericSchema<unknown, FetchNote> = v.object({
  bytes: v.number(),
  requests: v.number(),
  failure: v.optional(
    v.object({ code: v.picklist(codes), message: v.string(), hint: v.optional(v.string()) }),
  ),
})

export function readFetchNote(path: string): FetchNote | undefined {
  return readNote(schema, path)
}

export function writeFetchNote(path: string, note: FetchNote): void {
  tryToWriteNote(path, note)
}

/** What to write of an error. */
export function failureOf(error: unknown): FetchNote['failure'] {
  if (error instanceof PgbkError) return { code: error.code, message: error.message, hint: error.hint }
  return { code: 'failed', message: String(error) }
}

/** The error that was written. */
export function errorOf({ failure }: FetchNote): PgbkError | undefined {
  if (!failure) return undefined
  const { code, message, hint } = failure
  return new PgbkError(code, message, hint === undefined ? {} : { hint })
}
