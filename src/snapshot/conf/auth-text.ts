/** Where pg_hba.conf, pg_ident.conf, or a file that belongs to them names another file. */
export interface AuthReference {
  /** `list` is `@file`: names in place of a database or a user. */
  kind: 'include' | 'include_if_exists' | 'include_dir' | 'list'
  /** As the file has it, byte by byte (latin1). */
  path: string
  /** Where the word that names it begins and ends in the text. */
  start: number
  end: number
}

interface Word {
  text: string
  start: number
  end: number
  /** A word that begins with a quote is neither a keyword nor an `@file`. */
  isQuoted: boolean
  /** Words of one field stand behind commas. */
  field: number
}

/**
 * The files that such a text names, by the rules of next_token() and tokenize_auth_file() in src/backend/libpq/hba.c.
 * @param text its bytes as latin1.
 * @param major from 14 on a backslash continues a line, from 16 on there are include directives.
 */
export function authReferences(text: string, major: number): AuthReference[] {
  return linesOf(text, major).flatMap((words) => {
    const lists = words
      .filter((word) => !word.isQuoted && word.text.startsWith('@') && word.text.length > 1)
      .map(({ text: name, start, end }): AuthReference => ({ kind: 'list', path: name.slice(1), start, end }))
    const included = major >= 16 ? includeIn(words) : undefined
    return included ? [...lists.filter(({ start }) => start !== included.start), included] : lists
  })
}

/** An include directive has two fields, and nothing else. */
function includeIn(words: Word[]): AuthReference | undefined {
  const [first] = words
  const second = words.find(({ field }) => field === 1)
  if (!first || !second || words.some(({ field }) => field > 1)) return undefined
  const [, kind] = /^(include|include_if_exists|include_dir)$/.exec(first.text) ?? []
  return kind === undefined
    ? undefined
    : { kind: kind as AuthReference['kind'], path: second.text, start: second.start, end: second.end }
}

/** The words of each line that has any. */
function linesOf(text: string, major: number): Word[][] {
  const lines: Word[][] = []
  for (let at = 0; at < text.length; ) {
    const end = endOfLine(text, at, major)
    const words = wordsIn(text, at, end)
    if (words.length > 0) lines.push(words)
    at = end + 1
  }
  return lines
}

/** Where a line ends that may go on behind a backslash. */
function endOfLine(text: string, start: number, major: number): number {
  for (let at = start; ; ) {
    const end = text.indexOf('\n', at)
    if (end === -1) return text.length
    if (major < 14 || !/\\\r*$/.test(text.slice(Math.max(at, end - 99), end))) return end
    at = end + 1
  }
}

/** A backslash and the line break behind it are nothing at all. */
const continued = /\\\r*\n/g

/** Up to a blank, a comma or a comment, outside of quotes. */
const word = /(?:\\\r*\n|"[^"]*(?:"|$)|[^ \t\r,#"])+|#/g

function wordsIn(text: string, start: number, end: number): Word[] {
  const line = text.slice(start, end)
  const words: Word[] = []
  let [field, goesOn] = [-1, false]
  for (const { 0: raw, index } of line.matchAll(word)) {
    if (raw === '#') break
    const bare = raw.replace(continued, '')
    if (bare === '') continue
    if (!goesOn) field++
    words.push({
      text: withoutQuotes(bare),
      start: start + index,
      end: start + index + raw.length,
      isQuoted: bare.startsWith('"'),
      field,
    })
    goesOn = line[index + raw.length] === ','
  }
  return words
}

/** A quote that is doubled inside of quotes is one. */
function withoutQuotes(bare: string): string {
  return bare.replace(/"([^"]*)(?:"(?=(")?)|$)/g, (_all, quoted: string, more = '') => quoted + more)
}

/** A word for such a file that names another one, whatever characters that has (latin1). */
export function authWord(kind: AuthReference['kind'], path: string): string {
  return `${kind === 'list' ? '@' : ''}"${path.replaceAll('"', '""')}"`
}
