import type { RecordDraft } from '../catalog/record.js'
import type { StandbyState } from '../postgres/server/standby-state.js'
import type { StandbyWal } from './archive-standby-wal.js'

/** A standby before it was copied, and right afterwards; undefined when it has become a primary meanwhile. */
export interface StandbyStates {
  before: StandbyState
  after: StandbyState | undefined
}

/**
 * What a standby's snapshot is as of, by the clock of the commits: what its primary had committed by then is in it, and nothing that
 * was committed later. Where both the WAL and the standby are silent, it is the last checkpoint, which is told to the second.
 */
export function describeStandby(
  { before, after = { ...before, is_receiving: false, caught_up: null } }: StandbyStates,
  { lastCommit, hasMore }: StandbyWal,
): Pick<RecordDraft, 'copied_at' | 'standby'> {
  const { last_commit: replayed, caught_up, checkpoint } = after
  // One that is older than the backup's WAL is the last one only if none was replayed since.
  const older = lastCommit === undefined || replayed === before.last_commit ? replayed : null
  const last = lastCommit ?? older
  const caughtUp = replayed === last ? caught_up : null
  const byCommit = caughtUp === null || (last !== null && last >= caughtUp)
  const standby = {
    known_by: last === null && caughtUp === null ? 'last-checkpoint' : byCommit ? 'last-commit' : 'caught-up',
    is_receiving: after.is_receiving,
    is_paused: after.is_paused,
    apply_delay_ms: after.apply_delay_ms,
    has_more_wal: hasMore,
  } as const
  return { copied_at: (byCommit ? last : caughtUp) ?? nextSecond(checkpoint), standby }
}

function nextSecond(time: string): string {
  return new Date(Date.parse(time) + 1000).toISOString()
}
