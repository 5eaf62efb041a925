import { PgbkError } from '../../errors.js'

/**
 * What a server leaves out of a base backup because it is neither a file nor a directory: sendDir() in
 * src/backend/backup/basebackup.c (of 13 and 14, src/backend/replication/basebackup.c) says `skipping special file "./base/16384"`
 * in the language of the server's lc_messages. Links that it sends, those in pg_tblspc, are not meant here; nor are pg_wal and the
 * directories whose contents never come (excludeDirContents), which arrive as empty directories even where they are links.
 */

/** The server's own words in the output of one of its clients: `WARNING:  ...`, in whatever language. */
export function isServersNotice(line: string): boolean {
  return /^[^\s:]+: {2}\S/.test(line)
}

/** Whether it says, in English, that something is left out; in another language it may be said of anything. */
export function saysLeftOut(notice: string): boolean {
  return /^WARNING: {2}skipping special file /.test(notice)
}

/**
 * The path that a notice names, as the server names it: from the data directory (`./base/16384`, `pg_tblspc/16385/...` in 13),
 * absolute in a tablespace. Every language has its own quotation marks, in some encoding.
 */
export function pathIn(notice: string): string | undefined {
  const [, path] = quoted.exec(notice) ?? []
  return path?.replace(/^\.\//, '').trimEnd()
}

const quoted = /["'‘“”„‚«»「『\ufffd]\s?((?:\.|pg_tblspc)?\/.*)\s?["'’“”«»」』\ufffd]/

/** What is lost with something that was left out. */
export type Loss = 'data' | 'configuration' | 'nothing' | 'unknown'

/** @param path as `pathIn` returns it. */
export function lossOf(path: string): Loss {
  if (path.startsWith('/') || ofCluster.test(path)) return 'data'
  if (ofConfiguration.test(path)) return 'configuration'
  // Sockets that the server has made itself (unix_socket_directories = '.').
  return /^\.s\.PGSQL\.\d+$/.test(path) ? 'nothing' : 'unknown'
}

const ofCluster =
  /^(?:(?:base|global|pg_commit_ts|pg_logical|pg_multixact|pg_stat|pg_tblspc|pg_twophase|pg_xact)(?:\/|$)|PG_VERSION$)/

const ofConfiguration = /^(?:postgresql|postgresql\.auto|pg_hba|pg_ident)\.conf$/

/** @param whose what is known of the path, `database "big"`. */
export function dataLeftOut(path: string, whose: string | undefined): PgbkError {
  const owner = whose === undefined ? '' : ` (${whose})`
  return new PgbkError(
    'refused',
    `the server's ${path}${owner} is a symbolic link or a special file, and PostgreSQL leaves those out of a base backup`,
    { hint: linksHint },
  )
}

/** What to do about a link in the data directory that stands for data. */
export const linksHint = `The backup would lack data, so it was not made. In a data directory, PostgreSQL supports links only in pg_tblspc, and pg_wal as one.
Stop the server and move what the link leads to back in its place. To have it on another disk all the same, as a superuser then:  CREATE TABLESPACE name LOCATION '/other/disk/directory'; ALTER DATABASE name SET TABLESPACE name;`
