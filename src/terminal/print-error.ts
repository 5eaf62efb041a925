import type { PgbkError } from '../errors.js'
import { jsonText } from './json-text.js'
import { printableLines, printableMessage } from './screen.js'
import type { Style } from './style.js'
import { wrap } from './wrap.js'

/** `{"error": {"code", "message", "hint"}}` */
export function errorJson({ code, message, hint }: PgbkError): string {
  return jsonText({ error: { code, message, hint: hint ?? null } }, 2)
}

export interface ErrorScreen {
  style: Style
  /** Columns of the terminal, if it is one. */
  width: number | undefined
  verbose: boolean
}

/** What failed, and below it what to do next; when verbose also where it came from. */
export function errorText(error: PgbkError, { style, width, verbose }: ErrorScreen): string {
  const lines = [wrap(`pgbk: ${printableMessage(error.message)}`, width).replace(/^pgbk:/, style.bad)]
  if (error.hint !== undefined) lines.push(wrap(printableLines(error.hint), width))
  if (verbose && error.cause instanceof Error && error.cause.stack)
    lines.push(style.faint(printableLines(error.cause.stack)))
  return `${lines.join('\n')}\n`
}
