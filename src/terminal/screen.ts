import type { PrintedCommand } from '../context.js'
import { printable } from '../text/printable.js'
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

export { printable }

/** The same as `printable` for a text of several lines. */
export function printableLines(text: string): string {
  return text.replaceAll('\t', '  ').split('\n').map(printable).join('\n')
}

/** The same where a value in it may have line breaks: what follows one is set in, and so is none of ours. */
export function printableMessage(text: string): string {
  return printableLines(text).replaceAll('\n', '\n  ')
}
