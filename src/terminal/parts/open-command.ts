import type { Backup } from '../../catalog/catalog.js'
import { shellWord } from '../../text/shell-word.js'

/** The line that opens a snapshot with stock PostgreSQL. */
export function openCommand({ layout }: Backup): string {
  return `cd ${shellWord(layout.snapshot)} && postgres -D conf`
}
