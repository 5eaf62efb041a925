import type { PrintedCommand } from '../context.js'
import type { Style } from './style.js'

/** What a view has to fit its text to. */
export interface Screen {
  style: Style
  /** Columns of the terminal; undefined where there is none, and lines may be as long as they like. */
  width: number | undefined
  now: Date
  quiet: boolean
  /** How a command is written that goes on from here. */
  pgbk: PrintedCommand
}

/** One line of text from a record or a server, without anything that a terminal would take for a command. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}|\p{Bidi_Control}/gu, '?')
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.replaceAll('\t', '  ').split('\n').map(printable).join('\n')
}
