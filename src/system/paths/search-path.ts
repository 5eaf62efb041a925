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

/** The path of a program that its name starts; undefined where there is none. */
export function findInPath(program: string, paths: string | undefined): string | undefined {
  return searchPath(paths)
    .map((directory) => join(directory, program))
    .find(isExecutable)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** PATH for somebody whom root becomes: without directories in which others than the two could put programs. */
export function searchPathFor(user: SystemUser, path: string | undefined): string {
  const trust = trustOf(user)
  return searchPath(path)
    .filter((place) => !firstUntrusted(place, trust))
    .join(':')
}
