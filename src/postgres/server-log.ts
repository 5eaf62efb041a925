import { existsSync, readFileSync } from 'node:fs'

/** The end of a server's log, with a line that introduces it. */
export function lastLines(log: string, count = 12): string {
  if (!existsSync(log)) return `There is no log ${log}; was the run ended by another pgbk?`
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  return `The last lines of its log:\n${lines.slice(-count).join('\n')}`
}
