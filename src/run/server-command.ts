import { existsSync } from 'node:fs'
import type { Context } from '../context.js'
import { programEnvironment } from '../postgres/connection.js'
import { neededLibraries } from './differences.js'
import type { Owner } from './owner.js'
import { type RunDirectory, runArgument } from './run-directory.js'
import type { RunRequest } from './run-request.js'

/** PostgreSQL refuses root, and no capability of a namespace is left to it. */
export function asOwner({ uid, gid }: Owner, context: Context): string[] {
  const dropped = ['--inh-caps=-all', '--bounding-set=-all']
  if (context.user().uid === 0)
    return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...dropped]
  return existsSync('/proc/self/status') ? ['setpriv', '--ambient-caps=-all', ...dropped] : []
}

/**
 * Its start-up would open every file for writing, to flush it, and so copy the whole cluster up: hence fsync off. COMMAND is
 * led to 127.0.0.1: a server that could only have ::1 must not start.
 */
export async function serverCommand(
  request: RunRequest,
  { layout }: RunDirectory,
  port: number,
  context: Context,
): Promise<string[]> {
  const libraries = await neededLibraries(request.backup.record, request.programs.bin, context)
  const settings: Record<string, string> = {
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    ...(libraries.length > 0 ? { shared_preload_libraries: libraries.join(',') } : {}),
    ...request.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return [
    request.programs.postgres,
    '-D',
    'conf',
    '-p',
    String(port),
    ...flags,
    '-c',
    runArgument(layout.directory),
  ]
}

/** Nothing of the caller's PG* variables: some of them speak to the server too. */
export function serverEnvironment({ env }: Context): Context['env'] {
  return Object.fromEntries(
    Object.entries(programEnvironment(env)).filter(([name]) => !name.startsWith('PG')),
  )
}
