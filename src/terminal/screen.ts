import { Chalk } from 'chalk'
import type { PrintedCommand } from '../context.js'
import { printable } from '../text/printable.js'

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

/** What colours are used for; with colours off every function returns its text. */
export interface Style {
  good(text: string): string
  warning(text: string): string
  bad(text: string): string
  faint(text: string): string
  strong(text: string): string
}

export function createStyle(colors: boolean): Style {
  const chalk = new Chalk({ level: colors ? 1 : 0 })
  return {
    good: (text) => chalk.green(text),
    warning: (text) => chalk.yellow(text),
    bad: (text) => chalk.red(text),
    faint: (text) => chalk.dim(text),
    strong: (text) => chalk.bold(text),
  }
}
