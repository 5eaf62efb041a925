import { Chalk } from 'chalk'

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
