import { closeSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'

/** Behind system_identifier, pg_control_version and catalog_version_no (struct ControlFileData in src/include/catalog/pg_control.h). */
const stateOffset = 16
const inProduction = 6

/**
 * Whether pg_control says that the cluster is, or was when its server ended, a server that may be written to, with no recovery
 * going on.
 */
export function isInProduction(dataDirectory: string): boolean {
  const bytes = Buffer.alloc(4)
  const file = openSync(join(dataDirectory, 'global', 'pg_control'), 'r')
  try {
    readSync(file, bytes, 0, bytes.length, stateOffset)
  } finally {
    closeSync(file)
  }
  return (endianness() === 'LE' ? bytes.readUInt32LE() : bytes.readUInt32BE()) === inProduction
}
