import { describe, expect, it } from '@jest/globals'
import { describeStandby } from '../../src/create/build-record.js'
import type { StandbyState } from '../../src/postgres/server/standby-state.js'

const old = '2026-11-17T03:00:00.123456Z'
const newer = '2026-11-20T02:59:58.000001Z'
const word = '2026-11-20T02:59:50.000000Z'
const state: StandbyState = {
  clock: '2026-11-20T03:00:00.000000Z',
  is_receiving: true,
  reads_archive: false,
  is_paused: false,
  apply_delay_ms: 0,
  last_commit: old,
  checkpoint: '2026-11-17T02:00:00.000000Z',
  caught_up: word,
}

describe('what the data of a standby are as of', () => {
  it.each<[string, Partial<StandbyState> | undefined, string | null | undefined, string, string]>([
    ["its primary's last word, when it had all of it and nobody committed", {}, null, word, 'caught-up'],
    ['that, when its last commit is in the WAL of the backup', {}, old, word, 'caught-up'],
    [
      'the last commit in that WAL, when more was replayed since',
      { last_commit: newer },
      old,
      old,
      'last-commit',
    ],
    ['the commit, when it is newer than the word', { last_commit: newer }, newer, newer, 'last-commit'],
    ['the last commit, when the primary is silent', { caught_up: null }, null, old, 'last-commit'],
    [
      'the checkpoint, when what was replayed meanwhile is not in the snapshot',
      { last_commit: newer, caught_up: null },
      null,
      '2026-11-17T02:00:01.000Z',
      'last-checkpoint',
    ],
    [
      'what the standby says, when nobody can read the WAL',
      { last_commit: newer },
      undefined,
      newer,
      'last-commit',
    ],
    ['the commit, when it was promoted meanwhile', undefined, old, old, 'last-commit'],
  ])('is %s', (_, after, lastCommit, copied_at, known_by) => {
    const states = { before: state, after: after && { ...state, ...after } }
    expect(describeStandby(states, { lastCommit, hasMore: false })).toMatchObject({
      copied_at,
      standby: { known_by, has_more_wal: false },
    })
  })
})
