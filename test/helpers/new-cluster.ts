import { createHash, randomInt } from 'node:crypto'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32cStart, updateCrc32c } from '../../src/snapshot/manifest/crc32c.js'
import { binOf, run } from './programs.js'

/**
 * Makes a cluster as initdb does, with a system identifier of its own. Each kind is made once in a run of the tests and copied
 * from then on, which takes a tenth of the time.
 */
export async function newCluster(major: number, args: string[], data: string): Promise<void> {
  const templates = process.env.PGBK_TEST_ONCE ?? ''
  const kind = createHash('sha1')
    .update(JSON.stringify([major, args]))
    .digest('hex')
  const template = join(templates, kind)
  if (!existsSync(template)) await makeTemplate(major, args, template)
  await run(['cp', '-a', template, data])
  changeIdentifier(data)
}

/** Several may make the same one at once: the first stays. */
async function makeTemplate(major: number, args: string[], template: string): Promise<void> {
  const draft = `${template}-${randomInt(1e9, 1e10)}`
  await run([`${binOf(major)}/initdb`, '-D', draft, '--no-sync', '--auth=trust', ...args])
  try {
    renameSync(draft, template)
  } catch (error) {
    if (!existsSync(template)) throw error
    rmSync(draft, { recursive: true })
  }
}

/** In pg_control (src/include/catalog/pg_control.h) and on the first page of WAL (access/xlog_internal.h). */
function changeIdentifier(data: string): void {
  const control = join(data, 'global/pg_control')
  const bytes = readFileSync(control)
  const checksumAt = findChecksum(bytes)
  const identifier = bytes.readBigUInt64LE(0) + BigInt(randomInt(1, 2 ** 31))
  bytes.writeBigUInt64LE(identifier, 0)
  bytes.writeUInt32LE(checksumOf(bytes.subarray(0, checksumAt)), checksumAt)
  writeFileSync(control, bytes)
  const [segment = ''] = readdirSync(join(data, 'pg_wal')).filter((name) => /^\w{24}$/.test(name))
  const wal = openSync(join(data, 'pg_wal', segment), 'r+')
  const eight = Buffer.alloc(8)
  eight.writeBigUInt64LE(identifier)
  writeSync(wal, eight, 0, 8, 24)
  closeSync(wal)
}

/** The last field, whose place is not the same in all majors. */
function findChecksum(bytes: Buffer): number {
  for (let at = 200; at < 512; at += 4)
    if (bytes.readUInt32LE(at) === checksumOf(bytes.subarray(0, at))) return at
  throw new Error('pg_control has no checksum')
}

function checksumOf(bytes: Buffer): number {
  return (updateCrc32c(crc32cStart, bytes) ^ -1) >>> 0
}
