import { join } from 'node:path'
import { PgbkError, systemCode } from '../errors.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import { mostBytes, readSmallText } from '../system/files/read-small.js'

/** In a WAL archive: the segment that the server no longer had when the receiver asked for it. Nothing else shows such a gap. */
export const gapNoteName = '.pgbk-gap'

/** On disk when this returns. */
export async function noteGap(archive: string, missing: string): Promise<void> {
  if (!/^[0-9A-F]{24}$/.test(missing)) return
  await writeDurably(join(archive, gapNoteName), `${missing}\n`)
  await syncPath(archive)
}

/** Undefined where nothing is noted. */
export function readGapNote(archive: string): string | undefined {
  try {
    return readSmallText(join(archive, gapNoteName), mostBytes.note).trim()
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EACCES') return undefined
    throw error
  }
}
