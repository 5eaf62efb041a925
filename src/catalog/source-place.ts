import { isAbsolute, resolve } from 'node:path'
import { PgbkError } from '../errors.js'
import { isPlainName } from '../system/paths/inside.js'

/** Another root: in a directory here, on a host that ssh reaches, or in a bucket of S3. */
export type SourcePlace =
  | { kind: 'directory'; directory: string }
  /** The prefix is empty, or ends with a slash. */
  | { kind: 's3'; bucket: string; prefix: string }
  /** The directory is as the user wrote it: relative to the home there, or absolute, or `~...`. */
  | { kind: 'ssh'; host: string; directory: string }

/** Stores of the configuration, by their names. */
export type NamedStores<S extends { url: string } = { url: string }> = Readonly<Record<string, S>>

/** The store of that name: it comes before a directory of that name, which is `./NAME`. */
export function storeNamed<S extends { url: string }>(text: string, stores: NamedStores<S>): S | undefined {
  return Object.hasOwn(stores, text) ? stores[text] : undefined
}

/**
 * Reads a SOURCE: the name of a store, `s3://BUCKET[/PREFIX]`, or as scp reads its operands: a colon before the first slash ends a host, so
 * `./x:y` is a directory.
 * @param base what relative directories are relative to.
 * @throws {PgbkError} `usage` for what is none of these.
 */
export function parseSource(text: string, base: string, stores: NamedStores): SourcePlace {
  return parsePlace(storeNamed(text, stores)?.url ?? text, base)
}

function parsePlace(text: string, base: string): SourcePlace {
  if (/^s3:\/\//i.test(text)) return bucketOf(text)
  const [, bracketed, plain, directory] = /^(?:([^:/[]*\[[^\]/]+\])|([^:/]*)):(.*)$/s.exec(text) ?? []
  if (text === '' || text.includes('\0')) throw noSource(text)
  checkNoUrl(text, 's3://BUCKET[/PREFIX], DIR, or [USER@]HOST:DIR as in scp')
  if (directory === undefined) return { kind: 'directory', directory: resolve(base, text) }
  const host = (bracketed ?? plain ?? '').replace(/[[\]]/g, '')
  // ssh would take it for an option.
  if (host === '' || /^-|@-|@$|\s/.test(host)) throw noSource(text)
  return { kind: 'ssh', host, directory }
}

/** @throws {PgbkError} `usage`. */
function bucketOf(text: string): SourcePlace {
  const [, bucket = '', path = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:\/(.*))?$/is.exec(text) ?? []
  const prefix = path.replace(/\/+$/, '')
  if (bucket !== '' && (prefix === '' || isPlainName(prefix)))
    return { kind: 's3', bucket, prefix: prefix === '' ? '' : `${prefix}/` }
  // Not the text: somebody may have put a password into it.
  throw new PgbkError('usage', 'that is not the URL of a bucket: s3://BUCKET[/PREFIX]', {
    hint: 'Credentials are no part of it: they come as every S3 tool takes them (AWS_PROFILE, AWS_ACCESS_KEY_ID ...).',
  })
}

/**
 * `sftp://host/dir` would be a host named s3, or a directory here.
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

/** A source as it is understood anywhere: a relative directory, of a configuration file for one, is made absolute. */
export function resolveSource(text: string, base: string, stores: NamedStores): string {
  if (storeNamed(text, stores)) return text
  const isHost = /^[^/]*:/.test(text)
  return isHost || isAbsolute(text) ? text : resolve(base, text)
}

function noSource(text: string): PgbkError {
  return new PgbkError('usage', `${JSON.stringify(text)} is not a source`, {
    hint: 'A source is a directory that holds data/, [USER@]HOST:DIR as in scp, s3://BUCKET[/PREFIX], or the name of a store. Write ./a:b for a directory with a colon.',
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
    hint: 'Name one with --from DIR, --from [USER@]HOST:DIR or --from s3://BUCKET, or as source in .pgbkrc.yaml.',
  })
}
