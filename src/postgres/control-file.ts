import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The system identifier of a data directory, as pg_control begins with it (src/include/catalog/pg_control.h): read in either
 * order of bytes, because it may come from another kind of machine.
 */
export async function readSystemIdentifiers(dataDirectory: string): Promise<string[]> {
  const control = await readFile(join(dataDirectory, 'global', 'pg_control'))
  return [control.readBigUInt64LE(0), control.readBigUInt64BE(0)].map(String)
}
