import { dirname, resolve } from 'node:path'
import { type AuthReference, authReferences } from './auth-text.js'
import { isInclude, parseConf } from './conf-text.js'

/** A file, or a directory of files, that a configuration file brings in. */
export interface IncludedFile {
  type: AuthReference['kind']
  /** Absolute. */
  path: string
}

/**
 * What a configuration file brings in, in its order (ParseConfigFp() in src/backend/utils/misc/guc-file.l, hba.c). Names are UTF-8; a
 * relative one counts from the directory of the file (AbsoluteConfigLocation() in conffiles.c).
 * @param text its bytes as latin1.
 * @param from the path of the file.
 * @param kind `conf` is a file of settings, `auth` one like pg_hba.conf and pg_ident.conf.
 */
export function includedFiles(
  text: string,
  from: string,
  kind: 'conf' | 'auth',
  major: number,
): IncludedFile[] {
  const found =
    kind === 'auth'
      ? authReferences(text, major)
      : parseConf(text)
          .filter((line) => isInclude(line) && !line.isFaulty)
          .map(({ name, value }) => ({ kind: (name ?? 'include') as AuthReference['kind'], path: value }))
  return found
    .filter(({ path }) => path !== '')
    .map(({ kind: type, path }) => ({
      type,
      path: resolve(dirname(from), Buffer.from(path, 'latin1').toString()),
    }))
}

/** Which files of a directory that is included count, in their order (GetConfFilesInDir() in conffiles.c). */
export function countingIn(names: readonly string[]): string[] {
  return names
    .filter((name) => /^[^.].*\.conf$/.test(name))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
