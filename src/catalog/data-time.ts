import { v } from '../schema.js'
import { count } from './record-fields.js'

/** Of a standby that was backed up: how well it knew, at the end, what its primary had. */
export const standbyEntry = v.optional(
  v.object({
    /**
     * What `copied_at` is: the last commit that the snapshot has; the primary's last word to a standby that had replayed all of it; or,
     * where no commit is known, the last checkpoint.
     */
    known_by: v.picklist(['last-commit', 'caught-up', 'last-checkpoint']),
    /** WAL came to it by streaming. */
    is_receiving: v.boolean(),
    is_paused: v.boolean(),
    apply_delay_ms: count,
    /** The archive has commits from the first moment on that the snapshot has not: what the standby had received, and not replayed. */
    has_more_wal: v.boolean(),
  }),
)

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
