import { lstatSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { recordOf, snapshotOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { systemFailure } from '../errors.js'
import { neededLibraries } from '../postgres/local/differences.js'
import { recoverySettings } from '../recovery/recovery-conf.js'
import { type OwnRunDirectory, runArgument } from './directory/run-directory.js'
import { runDefaults, runFilePlaces, withoutOverrides, writeRunConf } from './run-conf.js'
import type { RunRequest } from './run-request.js'

/**
 * Writes the server's configuration. Its start-up would open every file for writing, to flush it, and so copy the whole cluster up:
 * hence fsync off. COMMAND is led to 127.0.0.1: a server that could only have ::1 must not start. Its socket is where nobody else
 * gets in.
 */
export async function serverCommand(
  request: RunRequest,
  directory: OwnRunDirectory,
  port: number,
  context: Context,
): Promise<string[]> {
  const { recovery } = request.recovery
  const { layout, sockets } = directory
  const libraries = await neededLibraries(recordOf(request.backup), request.programs.bin, context)
  await writeRunConf(request, directory, context)
  const settings = inOrder(
    runDefaults(request, layout),
    {
      fsync: 'off',
      // With the SQLSTATE, which tells what the failure of a start-up is (server-words.ts).
      log_line_prefix: '%m [%p] %e ',
      listen_addresses: request.hasPort ? '127.0.0.1' : '',
      ...(libraries.length > 0 ? { shared_preload_libraries: libraries.join(',') } : {}),
    },
    request.settings,
    { unix_socket_directories: sockets, unix_socket_permissions: '0700' },
    recovery ? recoverySettings(recovery, { linked: true }) : {},
    runFilePlaces(layout),
  )
  const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])
  linkWal(request, directory)
  // Written where the server is started, into the working copy alone.
  const signal = recovery ? ` && : >data/recovery.signal && ${placeLinks}` : ''
  return [
    ...['sh', '-c', `${withoutOverrides}${signal} && shift && exec "$@"`, 'sh', layout.walLinks],
    request.programs.postgres,
    '-D',
    layout.conf,
    '-p',
    String(port),
    ...flags,
    '-c',
    runArgument(layout.directory),
  ]
}

/** Each setting once, where it stands last: PostgreSQL makes no difference between capital and small letters. */
function inOrder(...groups: Readonly<Record<string, string>>[]): [string, string][] {
  const settings = new Map<string, [string, string]>()
  for (const [name, value] of groups.flatMap((group) => Object.entries(group))) {
    settings.delete(name.toLowerCase())
    settings.set(name.toLowerCase(), [name, value])
  }
  return [...settings.values()]
}

/**
 * Makes a link to each finished segment that is to be replayed, in a directory beside the working copy: what `placeLinks` puts into
 * pg_wal need not be copied when its turn comes. Those that the snapshot has in there, and what is compressed or unfinished, come by
 * restore_command alone.
 * @throws {PgbkError} as the system says.
 */
export function linkWal({ backup, recovery: plan }: RunRequest, { layout }: OwnRunDirectory): void {
  const { recovery, archive } = plan
  if (!recovery) return
  const segments = archive?.chain.filter(
    ({ form, segment }) => form === 'raw' && segment <= recovery.lastSegment,
  )
  try {
    mkdirSync(layout.walLinks)
    for (const { name, directory, file } of segments ?? [])
      if (!lstatSync(join(snapshotOf(backup).data, 'pg_wal', name), { throwIfNoEntry: false }))
        symlinkSync(join(directory, file), join(layout.walLinks, name))
  } catch (cause) {
    throw systemFailure(`cannot write ${layout.walLinks}`, cause)
  }
}

/** Where the server is started, with the directory of the links as `$1`; without them all segments are copied. */
const placeLinks = '{ cp -RP "$1/." data/pg_wal/ || :; } 2>/dev/null'
