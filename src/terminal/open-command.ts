import type { Backup } from '../backup/catalog.js'
import { shellWord } from '../shell-word.js'

/** The line that opens a snapshot with stock PostgreSQL. */
export function openCommand({ layout }: Backup): string {
  return `cd ${shellWord(layout.snapshot)} && postgres -D conf`
}
