import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'

/** One file as a backup_manifest has it. */
export interface ManifestFile {
  /** Below the data directory. */
  path: string
  /** The same as the file system has it. */
  bytes: Buffer
  size: number
  /** `CRC32C`, `SHA224` ... `SHA512`, or `NONE`. */
  algorithm: string
  /** Hexadecimal; empty for `NONE`. */
  checksum: string
}

/** The files that pgbk itself changes (see arrange-snapshot), and pg_verifybackup exempts. */
export const exemptFromManifest: ReadonlySet<string> = new Set([
  'postgresql.auto.conf',
  'standby.signal',
  'recovery.signal',
])

/** The files of a manifest. It has one file a line (backup_manifest.c), so a large one needs little memory. */
export async function* manifestFiles(manifest: string): AsyncGenerator<ManifestFile> {
  for await (const line of createInterface({ input: createReadStream(manifest) })) {
    const file = parseLine(line)
    if (file) yield file
  }
}

/** The same, for where nothing can be waited for. */
export function* manifestFilesNow(manifest: string): Generator<ManifestFile> {
  const descriptor = openSync(manifest, 'r')
  try {
    const buffer = Buffer.alloc(1 << 20)
    let rest = ''
    for (let read = -1; read !== 0; ) {
      read = readSync(descriptor, buffer)
      const lines = (rest + buffer.toString('latin1', 0, read)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const file = parseLine(Buffer.from(line, 'latin1').toString())
        if (file) yield file
      }
    }
  } finally {
    closeSync(descriptor)
  }
}

/** `{ "Path": "base/1/1247", "Size": 106496, ...}`; names that are no UTF-8 stand as hexadecimal `Encoded-Path`. */
export function parseLine(line: string): ManifestFile | undefined {
  const match = /^\{ "(Path|Encoded-Path)": ("(?:[^"\\]|\\.)*"), "Size": (\d+)/.exec(line)
  if (!match) return undefined
  const bytes = Buffer.from(JSON.parse(match[2] ?? '""'), match[1] === 'Path' ? 'utf8' : 'hex')
  const [, algorithm = 'NONE', checksum = ''] =
    /"Checksum-Algorithm": "(\w+)", "Checksum": "([0-9a-f]*)" \},?$/.exec(line) ?? []
  return { path: bytes.toString(), bytes, size: Number(match[3]), algorithm, checksum }
}

const tailBytes = 512

/** Whether a manifest is as it was written: its last line has the SHA-256 of all the lines before. */
export async function isManifestWhole(manifest: string): Promise<boolean> {
  const file = await open(manifest)
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - tailBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, from)
    const tail = buffer.toString('latin1', 0, bytesRead)
    const [, before, checksum] = /(.*\n)"Manifest-Checksum": "([0-9a-f]{64})"\}\s*$/s.exec(tail) ?? []
    if (before === undefined) return false
    const hash = createHash('sha256')
    const end = from + before.length - 1
    for await (const chunk of createReadStream(manifest, { end })) hash.update(chunk)
    return hash.digest('hex') === checksum
  } finally {
    await file.close()
  }
}
