import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Whether a library that is to be preloaded is installed, as expand_dynamic_library_name() in src/backend/utils/fmgr/dfmgr.c looks for it,
 * with the default dynamic_library_path.
 * @param directory of the installation's libraries.
 */
export function isLibrary(name: string, directory: string): boolean {
  const path = name.includes('/') ? name.replace(/^\$libdir(?=\/)/, directory) : join(directory, name)
  return existsSync(path) || existsSync(`${path}.so`)
}
