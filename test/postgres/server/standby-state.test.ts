import { describe, expect, it } from '@jest/globals'
import { presentTime, type StandbyState, standbyWarning } from '../../../src/postgres/server/standby-state.js'

function aStandby(changes: Partial<StandbyState> = {}): StandbyState {
  return {
    clock: '2026-11-20T03:00:00.000000Z',
    is_receiving: true,
    reads_archive: false,
    is_paused: false,
    apply_delay_ms: 0,
    last_commit: '2026-11-17T03:00:00.000000Z',
    checkpoint: '2026-11-17T02:00:00.000000Z',
    caught_up: '2026-11-20T02:59:50.000000Z',
    ...changes,
  }
}

describe('a standby', () => {
  it('that has all of its idle primary is as of its last word', () => {
    expect(presentTime(aStandby())).toBe('2026-11-20T02:59:50.000000Z')
    expect(standbyWarning(aStandby())).toBeUndefined()
  })

  it('is as of its last commit, or its last checkpoint, when more is not known', () => {
    expect(presentTime(aStandby({ caught_up: null }))).toBe('2026-11-17T03:00:00.000000Z')
    expect(presentTime(aStandby({ caught_up: null, last_commit: null }))).toBe('2026-11-17T02:00:00.000000Z')
  })

  it.each<[Partial<StandbyState>, RegExp]>([
    [{ is_receiving: false, caught_up: null }, /cut off.*as of 2026-11-17 03:00:00 UTC.*3 days ago/],
    [{ is_paused: true, caught_up: null }, /replay is paused/],
    [{ apply_delay_ms: 600_000, caught_up: null }, /10 min 0 s late/],
    [{ caught_up: null }, /is behind its primary/],
    [{ is_receiving: false, reads_archive: true, caught_up: null }, /restore_command/],
  ])('with %j is warned about', (changes, text) => {
    expect(standbyWarning(aStandby(changes))).toMatch(text)
  })

  it('that reads a fresh archive, or is behind by seconds, is not', () => {
    const last_commit = '2026-11-20T02:58:00.000000Z'
    expect(standbyWarning(aStandby({ caught_up: null, last_commit }))).toBeUndefined()
    const archive = { is_receiving: false, reads_archive: true, caught_up: null }
    expect(standbyWarning(aStandby({ ...archive, last_commit }))).toBeUndefined()
  })
})
