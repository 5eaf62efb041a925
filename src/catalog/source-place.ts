import { isAbsolute, resolve } from 'node:path'
import { PgbkError } from '../errors.js'

/** Another root: in a directory here, or on a host that ssh reaches. */
type SourcePlace =
  | { kind: 'directory'; directory: string }
  /** The directory is as the user wrote it: relative to the home there, or absolute, or `~...`. */
  | { kind: 'ssh'; host: string; directory: string }

/**
 * Reads a SOURCE as scp reads its operands: a colon before the first slash ends a host, so `./x:y` is a directory.
 * @param base what relative directories are relative to.
 * @throws {PgbkError} `usage` for what is neither.
 */
export function parseSource(text: string, base: string): SourcePlace {
  const [, bracketed, plain, directory] = /^(?:([^:/[]*\[[^\]/]+\])|([^:/]*)):(.*)$/s.exec(text) ?? []
  if (text === '' || text.includes('\0')) throw noSource(text)
  checkNoUrl(text, 'DIR or [USER@]HOST:DIR, as in scp')
  if (directory === undefined) return { kind: 'directory', directory: resolve(base, text) }
  const host = (bracketed ?? plain ?? '').replace(/[[\]]/g, '')
  // ssh would take it for an option.
  if (host === '' || /^-|@-|@$|\s/.test(host)) throw noSource(text)
  return { kind: 'ssh', host, directory }
}

/**
 * `s3://bucket` and `sftp://host/dir` would be a host named s3, or a directory here.
 * @throws {PgbkError} `usage`.
 */
function checkNoUrl(text: string, supported: string): void {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0]
  if (scheme === undefined) return
  // Not the whole: there may be a password in it.
  throw new PgbkError('usage', `a place that begins with ${scheme} is not supported`, {
    hint: `Write ${supported}.`,
  })
}

/** The absolute path of a file or directory of this machine that somebody named. @throws {PgbkError} `usage` for a URL. */
export function localPath(text: string, base: string): string {
  checkNoUrl(text, 'the path of a file or directory on this machine (./a://b for one of that name)')
  return resolve(base, text)
}

/** A source in a configuration file: a relative directory is relative to the file. */
export function resolveSource(text: string, base: string): string {
  const isHost = /^[^/]*:/.test(text)
  return isHost || isAbsolute(text) ? text : resolve(base, text)
}

function noSource(text: string): PgbkError {
  return new PgbkError('usage', `${JSON.stringify(text)} is not a source`, {
    hint: 'A source is a directory that holds data/, or [USER@]HOST:DIR, as in scp. Write ./a:b for a directory with a colon.',
  })
}

/**
 * The SOURCE that is meant: the one that was named, else that of the configuration, else the fallback.
 * @throws {PgbkError} `usage` when there is none.
 */
export function sourceName(
  from: string | true | undefined,
  { source }: { source?: string | undefined },
  fallback?: string,
): string {
  const name = (from === true ? undefined : from) ?? source ?? fallback
  if (name !== undefined) return name
  throw new PgbkError('usage', 'no source is named', {
    hint: 'Name one with --from DIR or --from [USER@]HOST:DIR, or as source in .pgbkrc.yaml.',
  })
}
