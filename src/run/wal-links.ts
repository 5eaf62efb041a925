import { lstatSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { layoutOf } from '../catalog/backup.js'
import { systemFailure } from '../errors.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import type { RunRequest } from './run-request.js'

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
      if (!lstatSync(join(layoutOf(backup).data, 'pg_wal', name), { throwIfNoEntry: false }))
        symlinkSync(join(directory, file), join(layout.walLinks, name))
  } catch (cause) {
    throw systemFailure(`cannot write ${layout.walLinks}`, cause)
  }
}

/** Where the server is started, with the directory of the links as `$1`; without them all segments are copied. */
export const placeLinks = '{ cp -RP "$1/." data/pg_wal/ || :; } 2>/dev/null'
