import { mostBytes } from '../../system/files/read-small.js'
import { shellWord } from '../../text/shell-word.js'
import type { FileRange } from '../contract/place.js'

/** Exit statuses of the scripts, where nothing of theirs is to be read. */
export const scriptStatus = {
  noDirectory: 41,
  noRoot: 42,
  noBackup: 43,
  noTar: 44,
  noFile: 45,
  link: 46,
  locked: 47,
}

/**
 * Enters the root, or tells why not: `cd` of some shells gives no reason, find does. A directory that begins with `~` is what sh
 * makes of it, as in scp.
 */
export function enter(directory: string): string {
  const [, home, rest = ''] = /^(~[\w.-]*)(\/.*)?$/s.exec(directory) ?? []
  const plain = directory === '' || /^\//.test(directory) ? directory || '.' : `./${directory}`
  const word = home === undefined ? shellWord(plain) : `${home}${rest && shellWord(rest)}`
  return [
    'LC_ALL=C',
    'export LC_ALL',
    'unset CDPATH',
    `D=${word}`,
    `cd "$D" 2>/dev/null || { find "$D/." -prune >/dev/null; exit ${scriptStatus.noDirectory}; }`,
  ].join('; ')
}

const enterBackups = `cd data/backup 2>/dev/null || { find data/backup/. -prune >/dev/null; exit ${scriptStatus.noRoot}; }`

const enterBackup = (id: string) => `cd ${shellWord(`data/backup/${id}`)} || exit ${scriptStatus.noBackup}`

/** Of 512 bytes, as find counts them. */
const mostBlocks = mostBytes.record / 512

/**
 * Every entry of data/backup: a line `TOKEN state name`, then its record, if it has one that can be read, and is a file of a record's size. The last line is
 * `TOKEN end`. Nobody can know the token before.
 */
export function catalogScript(directory: string, token: string): string {
  const say = (state: string) => `printf '%s\\n' "" "${token} ${state} $d"`
  return [
    enter(directory),
    enterBackups,
    'for d in * .*.partial; do if [ -d "$d" ]',
    `then if [ -r "$d/backup.json" ] && [ -z "$(find "$d/backup.json" -prune -type f -size -${mostBlocks + 1})" ]`,
    `then ${say('odd')}; elif [ -r "$d/backup.json" ]; then if [ -e "$d/snapshot/data/backup_label" ]; then ${say('whole')}`,
    `elif [ -d "$d/snapshot/data" ]; then if [ -x "$d/snapshot/data" ]; then ${say('used')}; else ${say('closed')}; fi`,
    `else ${say('used')}; fi; cat "$d/backup.json"`,
    `elif [ -e "$d/backup.json" ]; then ${say('closed')}`,
    `elif [ -x "$d" ]; then if [ -e "$d/.pgbk-partial.json" ]; then ${say('marked')}; else ${say('bare')}; fi`,
    `else ${say('closed')}; fi`,
    `elif [ -e "$d" ]; then ${say('file')}; fi; done`,
    `printf '%s\\n' "" "${token} end"`,
  ].join('; ')
}

/**
 * All names in a backup, each ended by a zero byte, with a line `TOKEN` before directories, files and links. While they were listed
 * a removal may have begun: its first step takes the record away.
 */
export function listingScript(directory: string, id: string, token: string): string {
  return [
    enter(directory),
    enterBackup(id),
    `for t in d f l; do printf '%s\\n' ${token}; find . -type $t -print0; done`,
    `printf '%s\\n' ${token}`,
    `[ -e backup.json ] || exit ${scriptStatus.noBackup}`,
  ].join('; ')
}

/**
 * A tar of the names on standard input, one a line, in their order. GNU tar must not take backslashes in the list for more than
 * they are, bsdtar must not leave holes out; some builds of busybox take no list.
 */
const tarOfList = [
  `command -v tar >/dev/null || exit ${scriptStatus.noTar}`,
  'COPYFILE_DISABLE=1',
  'export COPYFILE_DISABLE',
  'set -- --no-recursion',
  'case $(tar --version 2>&1) in *GNU*) set -- "$@" --no-unquote --hard-dereference;; *bsdtar*) set -- "$@" --no-xattrs --no-acls --no-fflags;; esac',
  'if tar --no-read-sparse --version >/dev/null 2>&1; then set -- "$@" --no-read-sparse; fi',
  'set -- "$@" -cf -',
  'if tar -cf /dev/null -T /dev/null >/dev/null 2>&1; then exec tar "$@" -T -; fi',
  'while IFS= read -r n; do set -- "$@" "$n"; done',
  'exec tar "$@"',
].join('; ')

/** A tar of names below the backup. */
export function transferScript(directory: string, id: string): string {
  return [enter(directory), enterBackup(id), tarOfList].join('; ')
}

/** Bytes of a file; its name is on standard input. */
export function readScript(directory: string, id: string, { from, length }: FileRange): string {
  return [
    enter(directory),
    enterBackup(id),
    'IFS= read -r n',
    `if [ -h "$n" ] || [ ! -f "$n" ]; then exit ${scriptStatus.noFile}; fi`,
    length === undefined ? `exec tail -c +${from + 1} "$n"` : `tail -c +${from + 1} "$n" | head -c ${length}`,
  ].join('; ')
}

/** A tar of names below the root. @param options further ones, where tar is known. */
export function archiveScript(directory: string, options = ''): string {
  return [enter(directory), tarOfList.replace('set -- ', `set -- ${options} `)].join('; ')
}
