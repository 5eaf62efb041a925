import { mkdirSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import { readConfFile } from '../../snapshot/conf/conf-file.js'
import { syncPath, writeDurably } from '../../system/files/durable.js'

/**
 * Copies the server's own configuration files out of a snapshot, flushed to disk. Only ordinary files come along.
 * @param to a directory, which is there and empty.
 * @throws {PgbkError} `damaged` for a file that is too large; a system error; the signal's reason when aborted.
 */
export async function copyOriginals(
  { snapshot, originalConf }: Pick<BackupLayout, 'snapshot' | 'originalConf'>,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  const directories = new Set([to])
  for (const entry of readdirSync(originalConf, { recursive: true, withFileTypes: true })) {
    signal.throwIfAborted()
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const target = join(to, relative(originalConf, path))
    mkdirSync(dirname(target), { recursive: true })
    await writeDurably(target, readConfFile(path, snapshot))
    directories.add(dirname(target))
  }
  for (const directory of directories) await syncPath(directory)
}
