import type { BackupRecord } from '../catalog/record.js'
import { PgbkError } from '../errors.js'
import { wordsOf } from '../postgres/sql/server-words.js'

/**
 * Why a server has not come up, told as what it is where its replay has met WAL of a library that is not loaded: records of a resource
 * manager of its own (RmgrNotFound() in src/backend/access/transam/rmgr.c, from 15 on). That is not damage. Any other failure is
 * returned as it is.
 */
export function namingLibrary(
  error: unknown,
  { preload_libraries }: Pick<BackupRecord, 'preload_libraries'>,
): unknown {
  const [, manager] =
    /^resource manager with ID (\d+) not registered/.exec(wordsOf(error)?.message ?? '') ?? []
  if (manager === undefined || !(error instanceof PgbkError)) return error
  const names = preload_libraries?.join(', ') || (preload_libraries ? 'none' : 'unknown')
  return new PgbkError(
    'failed',
    `the WAL needs resource manager ${manager} of a library that is not loaded here (shared_preload_libraries of the server: ${names})`,
    { hint: [wayToLoad, error.hint].filter(Boolean).join('\n'), cause: error },
  )
}

const wayToLoad = `Where that library is installed, have it loaded:
  pgbk local-run -c shared_preload_libraries=NAME ...
For a proof, set it in run.settings of pgbk's configuration; for an instance or a directory, in its postgresql.conf or postgresql.auto.conf.`
