import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { findVerifier } from '../postgres/programs/check-backup.js'
import { findInstallations, type Installation, newestPsql, programOf } from '../postgres/programs/find.js'
import { installHint } from '../postgres/programs/install-hint.js'
import { runProgram } from '../system/program/run-program.js'
import { type Check, failed, ok, warning } from './check.js'

/** Whether there are PostgreSQL's client programs, and one that locks files. */
export async function checkPrograms(binDir: string | undefined, context: Context): Promise<Check[]> {
  return [await checkClients(binDir, context), await checkLocker(context)]
}

async function checkClients(binDir: string | undefined, context: Context): Promise<Check> {
  try {
    const installations = await findInstallations(binDir, context)
    newestPsql(installations)
    const versions = installations.map(({ version }) => version)
    return ok('client programs', `psql and pg_basebackup ${[...new Set(versions)].join(', ')}`)
  } catch (error) {
    return failed('client programs', error)
  }
}

/** flock, or perl where there is none. */
async function checkLocker({ env, signal }: Context): Promise<Check> {
  for (const [program, argument] of [
    ['flock', '--help'],
    ['perl', '-v'],
  ] as const) {
    try {
      await runProgram(program, [argument], { env, signal })
      return ok('lock program', program)
    } catch (error) {
      if (!(error instanceof PgbkError) || error.code !== 'programs-missing') throw error
    }
  }
  return failed(
    'lock program',
    new PgbkError('programs-missing', 'neither flock nor perl is installed', {
      hint: '  apt-get install util-linux',
    }),
  )
}

/** What works on finished backups has to be of the server's own major. */
export function checkServerPrograms(major: number, installations: Installation[]): Check {
  const missing = [
    ...(findVerifier(major, installations)?.checksWal ? [] : ['pg_verifybackup and pg_waldump']),
    ...(programOf(major, 'postgres', installations) ? [] : ['postgres']),
  ]
  if (missing.length === 0)
    return ok('server programs', `of PostgreSQL ${major}: verify, local-run and restore work`)
  return warning(
    'server programs',
    `${missing.join(' and ')} of PostgreSQL ${major} are not installed here: backups are not verified in full, and cannot be opened on this machine`,
    installHint(major, 'server'),
  )
}
