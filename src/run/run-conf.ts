import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { recordOf } from '../catalog/backup.js'
import type { RunLayout } from '../catalog/layout.js'
import { majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import { systemFailure } from '../errors.js'
import { snapshotHba, snapshotIdent } from '../snapshot/conf/conf.js'
import { copyConf } from '../start-up/copy-conf.js'
import { allSwitchedOff } from '../start-up/dangerous-settings.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import type { RunRequest } from './run-request.js'

/**
 * Writes the configuration of a run beside its working copy, where nothing of the backup is.
 * @throws {PgbkError} `damaged` when the backup's is not a file, or as the system says.
 */
export async function writeRunConf(
  request: RunRequest,
  { layout: { conf }, secret }: OwnRunDirectory,
  context: Context,
): Promise<void> {
  const files = {
    'postgresql.conf': Buffer.concat([
      await copyConf(request.backup, request.programs.bin, context),
      Buffer.from(identityLine(secret)),
    ]),
    'pg_hba.conf': snapshotHba,
    'pg_ident.conf': snapshotIdent,
  }
  try {
    await mkdir(conf)
    for (const [name, content] of Object.entries(files))
      await writeFile(join(conf, name), content, { flag: 'wx' })
  } catch (cause) {
    throw systemFailure(`cannot write ${conf}`, cause)
  }
}

/**
 * What the command line of a run's server says before the caller's own settings: it beats every file that the server reads, and what
 * ALTER SYSTEM leaves.
 */
export function runDefaults({ backup }: RunRequest, { conf }: RunLayout): Record<string, string> {
  return {
    ...allSwitchedOff(majorOf(recordOf(backup))),
    // There is no value for none.
    external_pid_file: join(conf, 'server.pid'),
  }
}

/** What it says last: no setting of anybody's leads the server to other files. */
export function runFilePlaces({ conf, data }: RunLayout): Record<string, string> {
  return {
    config_file: join(conf, 'postgresql.conf'),
    hba_file: join(conf, 'pg_hba.conf'),
    ident_file: join(conf, 'pg_ident.conf'),
    data_directory: data,
  }
}

/**
 * Takes out of the working copy what would add to the configuration, where the server is started; `rm` removes a link and not what it
 * leads to.
 */
export const withoutOverrides = 'rm -f data/postgresql.auto.conf data/recovery.signal data/standby.signal'

/** A line of a server's configuration file, by which pgbk knows that it talks to that server and to no other. */
export function identityLine(secret: string): string {
  return `pgbk.secret = '${secret}'\n`
}
