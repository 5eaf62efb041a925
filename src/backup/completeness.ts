import { createReadStream, existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PgbkError, systemCode } from '../errors.js'
import type { Backup } from './catalog.js'

/**
 * Compares names and sizes with the manifest, without reading a file: a copy made by other tools may be half there although
 * its record came across. The manifest has one file a line (backup_manifest.c), so a large one needs little memory.
 * @throws {PgbkError} `damaged`, naming the first files that are missing or have another size.
 */
export async function checkComplete({ id, layout, state }: Backup): Promise<void> {
  const manifest = join(layout.data, 'backup_manifest')
  if (!existsSync(manifest)) throw damaged(id, ['data/backup_manifest is missing'])
  const faults: string[] = []
  for await (const line of createInterface({ input: createReadStream(manifest) })) {
    const file = parseLine(line)
    const fault =
      file && (state === 'whole' || !changesInUse(file.path))
        ? faultOf(layout.data, file, state === 'whole')
        : undefined
    if (fault !== undefined) faults.push(fault)
    if (faults.length === 5) break
  }
  for (const needed of ['conf/postgresql.conf', 'conf/pg_hba.conf']) {
    if (!existsSync(join(layout.snapshot, needed))) faults.push(`${needed} is missing`)
  }
  if (faults.length > 0) throw damaged(id, faults)
}

interface ManifestFile {
  path: string
  /** The same as the file system has it. */
  bytes: Buffer
  size: number
}

/** `{ "Path": "base/1/1247", "Size": 106496, ...}`; names that are no UTF-8 stand as hexadecimal `Encoded-Path`. */
function parseLine(line: string): ManifestFile | undefined {
  const match = /^\{ "(Path|Encoded-Path)": ("(?:[^"\\]|\\.)*"), "Size": (\d+)/.exec(line)
  if (!match) return undefined
  const bytes = Buffer.from(JSON.parse(match[2] ?? '""'), match[1] === 'Path' ? 'utf8' : 'hex')
  return { path: bytes.toString(), bytes, size: Number(match[3]) }
}

/** The files that pgbk itself changes (see arrange-snapshot), and pg_verifybackup exempts. */
const exempt = new Set(['postgresql.auto.conf', 'standby.signal', 'recovery.signal'])

function faultOf(data: string, { path, bytes, size }: ManifestFile, exact: boolean): string | undefined {
  if (exempt.has(path)) return undefined
  try {
    const found = lstatSync(Buffer.concat([Buffer.from(`${data}/`), bytes])).size
    return exact && found !== size ? `data/${path} has ${found} bytes instead of ${size}` : undefined
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error
    return `data/${path} is missing`
  }
}

/** A server that has run in the snapshot has removed and renamed files of these kinds. */
function changesInUse(path: string): boolean {
  return !/^(global|base)\/.*\d+$/.test(path) || /(_fsm|_vm|_init)$/.test(path)
}

function damaged(id: string, faults: string[]): PgbkError {
  return new PgbkError('damaged', `backup ${id} is not all there: ${faults.join('; ')}`, {
    hint: 'Was it copied by a program that was interrupted? Copy or download it again, or use another backup (pgbk list).',
  })
}
