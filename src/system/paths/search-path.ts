import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'
import type { SystemUser } from '../../context.js'
import { firstUntrusted, trustOf } from './trusted-path.js'

/** Where programs are when nothing says where: cron and containers may give no PATH. */
const usual = '/usr/local/bin:/usr/bin:/bin'

/** The directories of PATH that mean the same everywhere. */
export function searchPath(path: string | undefined): string[] {
  const places = (path ?? '').split(':').filter((place) => place.startsWith('/'))
  return places.length > 0 ? places : usual.split(':')
}

/** Whether a program is there to be started by its name. */
export function isInPath(program: string, paths: string | undefined): boolean {
  return searchPath(paths).some((directory) => {
    const path = join(directory, program)
    try {
      accessSync(path, constants.X_OK)
      return statSync(path).isFile()
    } catch {
      return false
    }
  })
}

/** PATH for somebody whom root becomes: without directories in which others than the two could put programs. */
export function searchPathFor(user: SystemUser, path: string | undefined): string {
  const trust = trustOf(user)
  return searchPath(path)
    .filter((place) => !firstUntrusted(place, trust))
    .join(':')
}
