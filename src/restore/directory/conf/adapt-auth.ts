import { dirname, relative, resolve } from 'node:path'
import { type AuthReference, authReferences, authWord } from '../../../snapshot/conf/auth-text.js'
import { directoryCopy } from './production-conf.js'

/**
 * The text of pg_hba.conf, pg_ident.conf, or a file that belongs to one of them, made to work in a data directory: the files that it
 * names are looked for where they are now. A name that leads elsewhere is led to where the file would have to be: a line that is
 * left out might let in whom it rejects.
 * @param text its bytes as latin1.
 * @param from the path that the file had.
 * @param copies where the files of the old places are now, relative to the data directory; the file itself is one of them.
 * @param rules what to do with names of other files.
 */
export function adaptAuth(
  text: string,
  from: string,
  copies: ReadonlyMap<string, string>,
  { major, isEmpty }: { major: number; isEmpty(directory: string): boolean },
): string {
  const here = dirname(copies.get(from) ?? '')
  return replaceNames(text, major, ({ kind, path }) => {
    const there = resolve(dirname(from), Buffer.from(path, 'latin1').toString())
    const copy = kind === 'include_dir' ? directoryCopy(there, copies) : copies.get(there)
    if (copy !== undefined) return relative(here, copy)
    return kind === 'include_dir' && isEmpty(there) ? undefined : relative(here, placeOutside(there))
  })
}

/** Where, in the data directory, a file is looked for that is not in the backup. */
export function placeOutside(path: string): string {
  return `of-server${resolve('/', path)}`
}

/**
 * A text with other names of files in it.
 * @param nameOf the name that is to stand there; undefined for a line that is taken out.
 */
export function replaceNames(
  text: string,
  major: number,
  nameOf: (reference: AuthReference) => string | undefined,
): string {
  return authReferences(text, major)
    .reverse()
    .reduce((changed, reference) => {
      const { kind, path, start, end } = reference
      const name = nameOf(reference)
      if (name === undefined) {
        const lineStart = changed.lastIndexOf('\n', start) + 1
        return `${changed.slice(0, lineStart)}# pgbk restore: it had no file: ${changed.slice(lineStart)}`
      }
      const bytes = Buffer.from(name).toString('latin1')
      return bytes === path ? changed : changed.slice(0, start) + authWord(kind, bytes) + changed.slice(end)
    }, text)
}
