import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { SnapshotLayout } from '../../catalog/layout.js'
import { mostBytes, readSmall } from '../../system/files/read-small.js'

/**
 * The SHA-256, in hexadecimal digits, of each file of a snapshot that is not the server's own and so not in its manifest: README
 * and all below conf/, by the path below the snapshot. @throws a system error.
 */
export function pgbkFileChecksums({
  snapshot,
  readme,
  conf,
}: Pick<SnapshotLayout, 'snapshot' | 'readme' | 'conf'>): Record<string, string> {
  const inConf = readdirSync(conf, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    [readme, ...inConf.sort()].map((path) => [relative(snapshot, path), sha256Of(path)]),
  )
}

function sha256Of(path: string): string {
  return createHash('sha256').update(readSmall(path, mostBytes.conf)).digest('hex')
}
