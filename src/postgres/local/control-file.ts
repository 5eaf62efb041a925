import { endianness } from 'node:os'
import { join } from 'node:path'
import { PgbkError } from '../../errors.js'
import { mostBytes, readPiece, readSmall } from '../../system/files/read-small.js'

/**
 * The system identifier of a data directory, as pg_control begins with it (src/include/catalog/pg_control.h): read in either
 * order of bytes, because it may come from another kind of machine.
 */
export async function readSystemIdentifiers(dataDirectory: string): Promise<string[]> {
  const control = readSmall(join(dataDirectory, 'global', 'pg_control'), mostBytes.control)
  if (control.length < 8)
    throw new PgbkError('damaged', `pg_control in ${dataDirectory} has only ${control.length} bytes`)
  return [control.readBigUInt64LE(0), control.readBigUInt64BE(0)].map(String)
}

/** Behind system_identifier, pg_control_version and catalog_version_no (struct ControlFileData in src/include/catalog/pg_control.h). */
const stateOffset = 16
const inProduction = 6

/**
 * Whether pg_control says that the cluster is, or was when its server ended, a server that may be written to, with no recovery
 * going on.
 */
export function isInProduction(dataDirectory: string): boolean {
  const bytes = readPiece(join(dataDirectory, 'global', 'pg_control'), stateOffset, 4)
  return (
    bytes.length === 4 &&
    (endianness() === 'LE' ? bytes.readUInt32LE() : bytes.readUInt32BE()) === inProduction
  )
}
