import { localPath } from '../catalog/source-place.js'
import type { Context } from '../context.js'
import { systemFailure } from '../errors.js'
import { replaceDurably } from '../system/files/durable.js'

/** Replaces a file of metrics in one step; everybody may read it, as the collector is somebody else. @throws as `systemFailure`. */
export async function writeMetrics(file: string, text: string, { cwd }: Context): Promise<void> {
  const path = localPath(file, cwd)
  try {
    await replaceDurably(path, text, 0o644)
  } catch (cause) {
    throw systemFailure(
      `cannot write ${path}`,
      cause,
      'Started by root, pgbk works as the owner of the root directory. Name a directory of that user, or leave --output out and let the shell write: >FILE',
    )
  }
}
