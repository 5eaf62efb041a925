import type { Backup } from '../backup/catalog.js'
import { shellWord } from '../shell-word.js'

/** A command that goes on with a backup. @param rootFlag the root, where it was named by -C. */
export function pgbkCommand(command: string, id: string, rootFlag: string | undefined): string {
  return ['pgbk', command, ...(rootFlag === undefined ? [] : ['-C', shellWord(rootFlag)]), id].join(' ')
}

/** The line that opens a snapshot with stock PostgreSQL. */
export function openCommand({ layout }: Backup): string {
  return `cd ${shellWord(layout.snapshot)} && postgres -D conf`
}
