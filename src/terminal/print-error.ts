import type { PgbkError } from '../errors.js'
import { cutTo } from '../text/cut-to.js'
import { jsonText } from './json-text.js'
import { printableLines, printableMessage, type Style } from './screen.js'
import { wrap } from './wrap.js'

/** `{"error": {"code", "message", "hint"}}` */
export function errorJson({ code, message, hint }: PgbkError): string {
  const shown = {
    code,
    message: withoutPasswords(message),
    hint: hint === undefined ? null : withoutPasswords(hint),
  }
  return jsonText({ error: shown }, 2)
}

/** Somebody may have given a URI, or a conninfo, where something else belongs, and errors name what they were given. */
export function withoutPasswords(text: string): string {
  const shown = text
    .replace(/\S+/g, withoutUrlPassword)
    .replace(/\b((?:ssl)?password|\w+_secret|scram_\w+_key)(\s*=\s*)('[^']*'?|\S+)/gi, '$1$2***')
  return cutTo(mostShown, shown)
}

/** Longer than whatever pgbk has to say: an error may have a text of others in it. */
const mostShown = 100_000

/** One expression for it would look from each `://` to the end. */
function withoutUrlPassword(word: string): string {
  const end = word.lastIndexOf('@')
  const start = /:\/\/[^:@/]*:/.exec(word.slice(0, Math.max(0, end)))
  return start ? `${word.slice(0, start.index + start[0].length)}***${word.slice(end)}` : word
}

interface ErrorScreen {
  style: Style
  /** Columns of the terminal, if it is one. */
  width: number | undefined
  verbose: boolean
}

/** What failed, and below it what to do next; when verbose also where it came from. */
export function errorText(error: PgbkError, { style, width, verbose }: ErrorScreen): string {
  const lines = [
    wrap(`pgbk: ${printableMessage(withoutPasswords(error.message))}`, width).replace(/^pgbk:/, style.bad),
  ]
  if (error.hint !== undefined) lines.push(wrap(shown(error.hint), width))
  if (verbose && error.cause instanceof Error && error.cause.stack)
    lines.push(style.faint(shown(error.cause.stack)))
  return `${lines.join('\n')}\n`
}

function shown(text: string): string {
  return printableLines(withoutPasswords(text))
}
