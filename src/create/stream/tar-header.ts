import { PgbkError } from '../../errors.js'
import { type BytePath, pathBytes, shownPath } from '../../system/paths/byte-path.js'

/** What a tar says of one of its members, of those kinds that a base backup has. */
export interface TarMember {
  /** Without `./` before it, and a slash behind it. */
  name: BytePath
  kind: 'file' | 'directory'
  /** Bytes of a file. */
  size: number
  /** Seconds since 1970. */
  changedAt: number
}

/** A tar consists of blocks, and every member begins with one. */
export const blockBytes = 512

/** How many bytes a member's content takes, with what fills its last block. */
export function paddedBytes(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes
}

/** What a header calls what is neither a file nor a directory (pg_basebackup sends no others; POSIX.1-2017, pax, "ustar"). */
const otherKinds: Record<string, string> = { '1': 'a hard link', '2': 'a symbolic link' }

/**
 * Reads the header of a member, as tarCreateHeader() in src/port/tar.c writes it: in the format ustar, sizes from 8 GiB on in binary.
 * @returns undefined for a block of zeros, with which a tar ends.
 * @throws {PgbkError} `damaged` for what is no such header, and for any other kind of member.
 */
export function readTarHeader(block: Buffer): TarMember | undefined {
  if (block[0] === 0) return undefined
  if (sumOf(block) !== octal(block, sum)) throw new PgbkError('damaged', 'the server sent a broken tar')
  const name = textAt(block, fields.name).replace(/^\.\//, '').replace(/\/$/, '') as BytePath
  const type = textAt(block, fields.type)
  const link = textAt(block, fields.link)
  if (!['', '0', '5'].includes(type)) {
    const kind = otherKinds[type] ?? `a member of type ${JSON.stringify(type)}`
    const target = link === '' ? '' : ` to ${shownPath(link)}`
    throw new PgbkError('damaged', `the server sent ${shownPath(name)} as ${kind}${target}`, {
      hint: kindsHint,
    })
  }
  const [kind, size] = type === '5' ? (['directory', 0] as const) : (['file', sizeOf(block)] as const)
  return { name, kind, size, changedAt: octal(block, fields.changedAt) }
}

const kindsHint =
  "A base backup has only files and directories; this one is discarded. Has somebody put a link into the server's data directory?"

/** The header of a member that its owner alone may read; a long name is a member of its own before it, as GNU tar has it. */
export function writeTarHeader({ name, kind, size, changedAt }: TarMember): Buffer {
  const bytes = pathBytes(name)
  const header = Buffer.alloc(blockBytes)
  const isLong = bytes.length > fields.name.length
  header.set(isLong ? bytes.subarray(0, fields.name.length) : bytes)
  const isFile = kind === 'file'
  complete(header, { mode: isFile ? 0o600 : 0o700, type: isFile ? '0' : '5', size, changedAt })
  return isLong ? Buffer.concat([longName(bytes), header]) : header
}

function longName(name: Buffer): Buffer {
  const header = Buffer.alloc(blockBytes)
  header.write('././@LongLink')
  // GNU tar ends the name with a zero byte, which counts.
  const size = name.length + 1
  complete(header, { mode: 0o600, type: 'L', size, changedAt: 0 })
  const content = Buffer.alloc(paddedBytes(size))
  content.set(name)
  return Buffer.concat([header, content])
}

interface Field {
  at: number
  length: number
}

const fields = {
  name: { at: 0, length: 100 },
  mode: { at: 100, length: 8 },
  uid: { at: 108, length: 8 },
  gid: { at: 116, length: 8 },
  size: { at: 124, length: 12 },
  changedAt: { at: 136, length: 12 },
  sum: { at: 148, length: 8 },
  type: { at: 156, length: 1 },
  link: { at: 157, length: 100 },
} satisfies Record<string, Field>
const { sum } = fields

function complete(
  header: Buffer,
  { mode, type, size, changedAt }: { mode: number; type: string; size: number; changedAt: number },
): void {
  writeOctal(header, fields.mode, mode)
  writeOctal(header, fields.uid, 0)
  writeOctal(header, fields.gid, 0)
  if (size < mostOctal) writeOctal(header, fields.size, size)
  else {
    header[fields.size.at] = isBinary
    header.writeBigUInt64BE(BigInt(size), fields.size.at + 4)
  }
  writeOctal(header, fields.changedAt, changedAt)
  header.write(type, fields.type.at, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  writeOctal(header, sum, sumOf(header))
}

/** What eleven octal digits cannot say. */
const mostOctal = 8 ** 11
/** In the first byte of a number that is not octal (GNU tar, "base-256"). */
const isBinary = 0x80

function sizeOf(block: Buffer): number {
  const { at } = fields.size
  if (block[at] !== isBinary) return octal(block, fields.size)
  const size = Number(block.readBigUInt64BE(at + 4))
  if (Number.isSafeInteger(size)) return size
  throw new PgbkError('damaged', 'the server sent a broken tar')
}

/** All bytes, those of the sum itself counting as spaces. */
function sumOf(header: Buffer): number {
  let total = 0
  for (let at = 0; at < blockBytes; at++)
    total += at >= sum.at && at < sum.at + sum.length ? 0x20 : (header[at] ?? 0)
  return total
}

function textAt(block: Buffer, { at, length }: Field): BytePath {
  const bytes = block.subarray(at, at + length)
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end === -1 ? length : end) as BytePath
}

function octal(block: Buffer, field: Field): number {
  const text = textAt(block, field).trim()
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : 0
}

function writeOctal(header: Buffer, { at, length }: Field, value: number): void {
  header.write(value.toString(8).padStart(length - 1, '0'), at, length - 1, 'latin1')
}
