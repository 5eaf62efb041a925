import { isAscii } from 'node:buffer'
import { checkJson, v } from '../../schema.js'
import { type BytePath, bytePath, shownPath } from '../../system/paths/byte-path.js'
import { isPlainName } from '../../system/paths/inside.js'

/** One file as a backup_manifest has it. */
export interface ManifestFile {
  /** Below the data directory; plain, so that it leads nowhere else. */
  path: BytePath
  size: number
  /** `CRC32C`, `SHA224` ... `SHA512`, or `NONE`. */
  algorithm: string
  /** Hexadecimal; empty for `NONE`. */
  checksum: string
}

/** Digits of each checksum (src/common/checksum_helper.c). */
const checksumDigits = new Map([
  ['NONE', 0],
  ['CRC32C', 8],
  ['SHA224', 56],
  ['SHA256', 64],
  ['SHA384', 96],
  ['SHA512', 128],
])

/** The escapes are those of escape_json() in src/backend/utils/adt/json.c; JSON refuses control characters. */
const fileLine =
  /^\{ "(Path|Encoded-Path)": ("(?:[^"\\]|\\["\\bfnrt]|\\u00[01][0-9a-f])*"), "Size": (\d{1,16}), "Last-Modified": "\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d GMT"(?:, "Checksum-Algorithm": "(\w{1,10})", "Checksum": "([0-9a-f]*)")? \},?$/

/**
 * Reads `{ "Path": "base/1/1247", "Size": 106496, "Last-Modified": ...}` (AddFileToBackupManifest in backup_manifest.c); names that are
 * no UTF-8 stand as hexadecimal `Encoded-Path`.
 * @returns what is wrong with it, as a text, when it is anything else.
 */
export function manifestFile(line: Buffer): ManifestFile | string {
  const text = textOf(line)
  const [, kind, name = '', digits, algorithm, checksum] = (text !== undefined && fileLine.exec(text)) || []
  if (kind === undefined) return 'is not written as PostgreSQL writes a file'
  const plain = checkJson(v.string(), name).value
  if (plain === undefined) return 'has a path that is not JSON'
  if (kind === 'Encoded-Path' && !/^(?:[0-9a-f]{2})+$/.test(plain))
    return 'has a path that is not hexadecimal'
  return checked(bytePath(Buffer.from(plain, kind === 'Path' ? 'utf8' : 'hex')), digits, algorithm, checksum)
}

/** A line with a plain path: printable ASCII, and nothing that is escaped. */
const usualLine =
  /^\{ "Path": "([ !#-[\]-~]+)", "Size": (\d{1,16}), "Last-Modified": "\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d GMT"(?:, "Checksum-Algorithm": "(\w{1,10})", "Checksum": "([0-9a-f]*)")? \},?$/

/**
 * The same for nearly all lines, in a fifth of the time.
 * @returns undefined for a line that is not of this kind, but may be right.
 */
export function usualFile(line: string): ManifestFile | string | undefined {
  const found = usualLine.exec(line)
  return found ? checked(found[1] as BytePath, found[2], found[3], found[4]) : undefined
}

function checked(
  path: BytePath,
  digits: string | undefined,
  algorithm = 'NONE',
  checksum = '',
): ManifestFile | string {
  if (!isPlainName(path)) return `has a path that leads out of the backup: ${JSON.stringify(shownPath(path))}`
  const size = Number(digits)
  if (!Number.isSafeInteger(size)) return `has a size that no file has: ${digits}`
  if (checksum.length !== (checksumDigits.get(algorithm) ?? -1))
    return 'has no checksum of a kind that pgbk knows'
  return { path, size, algorithm, checksum }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Undefined for what is not UTF-8. Nearly all is ASCII, which needs no look at each byte. */
function textOf(line: Buffer): string | undefined {
  const text = line.toString('latin1')
  if (isAscii(line)) return text
  try {
    return utf8.decode(line)
  } catch {
    return undefined
  }
}
