import { existsSync, readdirSync } from 'node:fs'
import { PgbkError } from '../errors.js'
import { shellWord } from '../text/shell-word.js'
import type { NewTablespace } from '../wal-reading/scan-wal.js'

/**
 * Replay makes a tablespace at the path that it had on the server, and empties what is there (13) or writes into it: on the server's
 * own machine its live files.
 * @param mayWrite whether it may do so where there is an empty directory.
 * @throws {PgbkError} `failed`.
 */
export function checkNewTablespaces(tablespaces: NewTablespace[], { mayWrite }: { mayWrite: boolean }): void {
  for (const { lsn, path } of tablespaces) {
    const isThere = existsSync(path)
    if (mayWrite && isThere && readdirSync(path).length === 0) continue
    const state = !mayWrite
      ? ''
      : isThere
        ? ', which is in use on this machine'
        : ', which is not there on this machine'
    throw new PgbkError('failed', `the WAL to be replayed creates a tablespace in ${path}${state}`, {
      hint: `${ways(path, isThere, mayWrite)} A moment before that can be reached:  --to-lsn ${lsn} --exclusive`,
    })
  }
}

function ways(path: string, isThere: boolean, mayWrite: boolean): string {
  const later = 'A backup that was made later has the tablespace in it.'
  if (!mayWrite)
    return `Replay would write to that path, outside of the working copy: pgbk restore can do that, on another machine. ${later}`
  if (isThere) return `Replay would write into those files, on the server itself into its own. ${later}`
  return `If replay may write there, make an empty directory for it:  install -d -m 700 -o postgres ${shellWord(path)}\n${later}`
}
