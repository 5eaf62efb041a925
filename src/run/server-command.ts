import { recoverySettings } from '../backup/recovery-conf.js'
import type { Context } from '../context.js'
import { neededLibraries } from '../postgres/differences.js'
import { type OwnRunDirectory, runArgument } from './run-directory.js'
import type { RunRequest } from './run-request.js'

/**
 * Its start-up would open every file for writing, to flush it, and so copy the whole cluster up: hence fsync off. COMMAND is
 * led to 127.0.0.1: a server that could only have ::1 must not start. Its socket is where nobody else gets in.
 */
export async function serverCommand(
  request: RunRequest,
  { layout, sockets }: OwnRunDirectory,
  port: number,
  context: Context,
): Promise<string[]> {
  const { recovery } = request.recovery
  const libraries = await neededLibraries(request.backup.record, request.programs.bin, context)
  const settings: Record<string, string> = {
    fsync: 'off',
    listen_addresses: request.hasPort ? '127.0.0.1' : '',
    ...(libraries.length > 0 ? { shared_preload_libraries: libraries.join(',') } : {}),
    ...request.settings,
    unix_socket_directories: sockets,
    unix_socket_permissions: '0700',
    ...(recovery ? recoverySettings(recovery) : {}),
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return [
    // Written where the server is started, into the working copy alone.
    ...(recovery ? ['sh', '-c', ': >data/recovery.signal && exec "$@"', 'sh'] : []),
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
