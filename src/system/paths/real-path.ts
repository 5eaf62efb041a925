import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** A path without symbolic links, as far as it is there. */
export function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realPath(dirname(path)), basename(path))
}
