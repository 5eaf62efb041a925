import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32cHex, crc32cStart, updateCrc32c } from '../../src/snapshot/manifest/crc32c.js'

/** XLogRecord in src/include/access/xlogrecord.h: the checksum is over what follows it, and then what comes before it. */
const [header, managerAt, crcAt] = [24, 17, 20]
/** The short header of the data, and xl_logical_message, whose text begins with the prefix. */
const beforePrefix = header + 2 + 24

/**
 * Makes a logical message in an archive a record that a library of its own has written, as far as PostgreSQL can tell: with another
 * resource manager and its checksum. The record must lie within a page, as the first of a segment does.
 * @param prefix that of the message, which nothing else in the archive has.
 */
export function giveOwnManager(archive: string, prefix: string, manager: number): void {
  for (const name of readdirSync(archive)) {
    const segment = readFileSync(join(archive, name))
    const at = segment.indexOf(`${prefix}\0`) - beforePrefix
    if (at < 0) continue
    const record = segment.subarray(at, at + segment.readUInt32LE(at))
    record[managerAt] = manager
    const state = updateCrc32c(crc32cStart, Buffer.from(record.subarray(header)))
    record.write(crc32cHex(updateCrc32c(state, Buffer.from(record.subarray(0, crcAt)))), crcAt, 'hex')
    writeFileSync(join(archive, name), segment)
    return
  }
  throw new Error(`no message ${prefix} in ${archive}`)
}
