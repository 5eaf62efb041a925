import { posix } from 'node:path'
import { PgbkError } from '../../../errors.js'
import { isPlainName } from '../../../system/paths/inside.js'
import { shellWord } from '../../../text/shell-word.js'
import type { FileRange } from '../../contract/place.js'
import { enter, scriptStatus } from '../../ssh/remote-scripts.js'

/** What the scripts print last, so that nobody takes a part of an answer for all of it. */
export const scriptEnd = 'pgbk-end'

/** @throws {PgbkError} `damaged` for what is no key. */
function partsOf(key: string): { directories: string[]; name: string } {
  if (!isPlainName(key) || key.includes('\n'))
    throw new PgbkError(
      'damaged',
      `${JSON.stringify(key.slice(0, 200))} is not the name of a file in a store`,
    )
  const parts = key.split('/')
  return { directories: parts.slice(0, -1), name: parts.at(-1) ?? '' }
}

/**
 * Ends as `ifAbsent` says only where there is nothing of a name: what cannot be looked at (closed, a mount that has gone, a bad disk) is
 * not absent, or a prune would take a backup for one without a record.
 */
const absent = (ifAbsent: string) =>
  `absent() { if e=$(ls -d "$1" 2>&1); then exit ${scriptStatus.link}; fi; case $e in *'No such file'*) ${ifAbsent};; esac; printf '%s\\n' "$e" >&2; exit 1; }`

/** Goes down, following no link, with `absent` for what is no directory. @param ifMissing what to do in its place. */
function descend(directories: string[], ifMissing = 'absent "$c"'): string {
  if (directories.length === 0) return ':'
  return [
    `for c in ${directories.map((one) => shellWord(one)).join(' ')}`,
    `do if [ -h "$c" ]; then exit ${scriptStatus.link}; elif [ -d "$c" ]; then :; else ${ifMissing}; fi`,
    `cd "./$c" 2>/dev/null || { if [ -d "$c" ]; then ls -d "./$c/." >/dev/null; exit 1; fi; absent "$c"; }; done`,
  ].join('; ')
}

const noFile = `exit ${scriptStatus.noFile}`

const bytesOf = (file: string) => `$(($(wc -c <"${file}")))`

/** Not every sync takes a file. */
const flush = (file: string) => `{ sync "${file}" 2>/dev/null || sync; }`

/** Another may make it at the same moment, or remove it while it is empty. */
const made = `{ mkdir "./$c" && ${flush('.')}; } || [ -d "$c" ] || exit 1`

/** @param ifMissing what to do where a directory is not there. */
function at(root: string, key: string, ifMissing?: string): string {
  const { directories, name } = partsOf(key)
  const draft = (end: string) => shellWord(`./.pgbk-${name}.${end}`)
  return [
    enter(root),
    'umask 077',
    absent(noFile),
    descend(directories, ifMissing),
    `n=${shellWord(`./${name}`)}; p=${draft('part')}; l=${draft('lock')}`,
  ].join('; ')
}

const isFile = `if [ -h "$n" ]; then exit ${scriptStatus.link}; elif [ -f "$n" ]; then :; elif [ -d "$n" ]; then ${noFile}; else absent "$n"; fi`

/** mv would put it into a directory of its name. */
const noDirectory = `if [ -d "$n" ]; then exit ${scriptStatus.link}; fi`

/** A draft that somebody has made a link would lead elsewhere. */
const ownDrafts = `for d in "$p" "$l"; do if [ -h "$d" ]; then rm -f "$d"; fi; done`

/** Size, time of the last change, and inode. */
const facts = `stat -c '%s %Y %i' "$n" 2>/dev/null || stat -f '%z %m %i' "$n"`

export function statScript(root: string, key: string): string {
  return [at(root, key), isFile, facts].join('; ')
}

export function readObjectScript(root: string, key: string, { from, length }: FileRange): string {
  const read = `tail -c +${from + 1} "$n"`
  return [at(root, key), isFile, length === undefined ? read : `${read} | head -c ${length}`].join('; ')
}

/** Puts what is on standard input. @param draft a name that nobody else has. */
export function putScript(
  root: string,
  key: string,
  bytes: number,
  draft: string,
  ifAbsent: boolean,
): string {
  const place = ifAbsent
    ? 'if ln "$t" "$n" 2>/dev/null; then echo put; elif [ -e "$n" ]; then echo there; else mv "$t" "$n" && echo put; fi'
    : 'mv -f "$t" "$n" && echo put'
  return [
    at(root, key, made),
    noDirectory,
    `t=${shellWord(`./.pgbk-${draft}.new`)}`,
    `trap 'rm -f "$t"' EXIT`,
    `cat >"$t" && [ ${bytesOf('$t')} -eq ${bytes} ] && ${flush('$t')} || exit 1`,
    `{ ${place}; } && ${flush('.')}`,
  ].join('; ')
}

/** How many bytes an interrupted send has left. */
export function leftScript(root: string, key: string): string {
  return [at(root, key, made), ownDrafts, `if [ -f "$p" ]; then echo ${bytesOf('$p')}; else echo 0; fi`].join(
    '; ',
  )
}

/** The SHA-256 of the first bytes of what it has left; nothing where no program knows that. */
export function leftSumScript(root: string, key: string, bytes: number): string {
  return [
    at(root, key),
    `head -c ${bytes} "$p" | { sha256sum 2>/dev/null || shasum -a 256 2>/dev/null || :; }`,
  ].join('; ')
}

/** Appends what is on standard input to what was left, and gives it its name when it is whole. One does so at a time, where flock is. */
export function sendScript(root: string, key: string, from: number, bytes: number): string {
  return [
    at(root, key, made),
    noDirectory,
    ownDrafts,
    `exec 9>>"$l"; if command -v flock >/dev/null; then flock -n 9 || exit ${scriptStatus.locked}; fi`,
    from === 0 ? ': >"$p"' : `[ ${bytesOf('$p')} -eq ${from} ] || exit 1`,
    `cat >>"$p"; [ ${bytesOf('$p')} -eq ${bytes} ] && ${flush('$p')} && mv -f "$p" "$n" && rm -f "$l" && ${flush('.')} && echo put`,
  ].join('; ')
}

/** A line for each file below a directory: size, time, inode and its name there. What goes meanwhile is none; what is closed is a fault. */
export function listScript(root: string, directories: string): string {
  const found = (facts: string) => `find . -type f -exec ${facts} {} +`
  return [
    enterPrefix(root, directories),
    'exec 3>&1',
    `if stat -c %s . >/dev/null 2>&1; then s=c; else stat -f %z . >/dev/null || exit 1; s=f; fi`,
    `e=$({ if [ $s = c ]; then ${found("stat -c '%s %Y %i %n'")}; else ${found("stat -f '%z %m %i %N'")}; fi; } 2>&1 >&3)`,
    `printf '%s\\n' "$e" | { while IFS= read -r m; do case $m in '' | *'No such file'*) ;; *) printf '%s\\n' "$m" >&2; exit 1;; esac; done; } || exit 1`,
    `echo ${scriptEnd}`,
  ].join('; ')
}

export function directoriesScript(root: string, directories: string): string {
  return [
    enterPrefix(root, directories),
    '[ -r . ] || { ls . >/dev/null; exit 1; }',
    `for d in * .[a-zA-Z0-9]*; do if [ -h "$d" ]; then :; elif [ -d "$d" ]; then printf '%s\\n' "$d"; fi; done`,
    `echo ${scriptEnd}`,
  ].join('; ')
}

function enterPrefix(root: string, directories: string): string {
  const { directories: parts } = partsOf(posix.join(directories || '.', 'x'))
  return [enter(root), absent(`echo ${scriptEnd}; exit 0`), descend(parts)].join('; ')
}

/** Removes what was left of sending the keys that are lines of standard input, these too (`all`), and the directories that are empty then. */
export function removeScript(root: string, what: 'all' | 'drafts'): string {
  const files = `${what === 'all' ? '"./$b" ' : ''}"./.pgbk-$b.part" "./.pgbk-$b.lock" "./.pgbk-$b.new"`
  return [
    enter(root),
    'P=$(pwd -P); f=0',
    'while IFS= read -r k; do d=$(dirname "/$k"); b=$(basename "$k"); if [ "$d" = / ]; then d=; fi',
    `if cd "$P$d" 2>/dev/null; then if [ "$(pwd -P)" = "$P$d" ]; then rm -f ${files} || f=1; else f=1; fi; elif [ -d "$P$d" ]; then f=1; fi`,
    'cd "$P"; if [ -n "$d" ]; then rmdir -p ".$d" 2>/dev/null; fi; done',
    'exit $f',
  ].join('; ')
}
