import type { PgbkError } from '../errors.js'
import { printable } from './screen.js'
import type { Style } from './style.js'

/** `{"error": {"code", "message", "hint"}}` */
export function errorJson({ code, message, hint }: PgbkError): string {
  return `${JSON.stringify({ error: { code, message, hint: hint ?? null } }, undefined, 2)}\n`
}

/** What failed, and below it what to do next; with `verbose` also where it came from. */
export function errorText(error: PgbkError, style: Style, verbose: boolean): string {
  const lines = [`${style.bad('pgbk:')} ${clean(error.message)}`]
  if (error.hint !== undefined) lines.push(clean(error.hint))
  if (verbose && error.cause instanceof Error && error.cause.stack)
    lines.push(style.faint(clean(error.cause.stack)))
  return `${lines.join('\n')}\n`
}

/** Server messages have several lines; those stay. */
function clean(text: string): string {
  return text.split('\n').map(printable).join('\n')
}
