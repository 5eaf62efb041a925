import type { v } from '../schema.js'
import type { standbyEntry } from './entries/record-fields.js'

interface Times {
  finished_at: string
  copied_at?: string | undefined
  standby?: v.InferOutput<typeof standbyEntry>
}

/**
 * The first moment that a backup leads to, by the clock of the commits. A primary's snapshot may have commits until it is finished;
 * what a standby's has ends before, by as much as it was behind.
 */
export function windowStart({ finished_at, copied_at, standby }: Times): string {
  return standby && copied_at !== undefined ? copied_at : finished_at
}
