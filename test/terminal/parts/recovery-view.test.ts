import { describe, expect, it } from '@jest/globals'
import type { LocalBackup } from '../../../src/catalog/backup.js'
import type { RecoveryPlan } from '../../../src/recovery/recovery-plan.js'
import {
  planRows,
  recoveryJson,
  recoveryResultText,
  rowsText,
} from '../../../src/terminal/parts/recovery-view.js'
import { aRecord } from '../../catalog/samples.js'

const record = aRecord()
const backup = { id: record.id, raw: record } as LocalBackup
const now = new Date('2026-11-20T15:14:00Z')

function aPlan(changes: Partial<RecoveryPlan> = {}): RecoveryPlan {
  return {
    target: { point: { kind: 'time', time: '2026-11-20T15:04:00.000000Z' } },
    archive: undefined,
    wal: { segments: 12, bytes: 12 * 16 * 1024 ** 2 },
    range: { startLsn: '0/3000028', endLsn: '0/F000000' },
    recovery: {} as RecoveryPlan['recovery'],
    requiredLsn: '0/F000000',
    notAfter: undefined,
    targetText: 'the time 2026-11-20T15:04:00Z',
    asOf: '2026-11-20T15:04:00.000000Z',
    until: '2026-11-20T15:13:59.123456Z',
    gap: undefined,
    newTablespaces: [],
    switches: [],
    damage: undefined,
    unfinished: undefined,
    noted: [],
    ...changes,
  }
}

describe('the plan of a recovery', () => {
  const rows = (plan: RecoveryPlan) => Object.fromEntries(planRows(backup, plan, now))

  it('tells the backup, the moment, how far the archive reaches, and the WAL', () => {
    expect(rows(aPlan())).toEqual({
      Backup: `${record.id}, PostgreSQL ${record.server.version}, from ${record.server.host}:${record.server.port}`,
      'Data as of': expect.stringMatching(/^2026-11-20 15:04:00 UTC.*\(10 minutes ago\), the time 2026-/),
      Archive: expect.stringMatching(/^reaches to 2026-11-20 15:13:59 UTC/),
      WAL: '12 segments to replay, 192 MB',
    })
  })

  it('tells no time that is not known, and no WAL that is not replayed', () => {
    const plan = aPlan({ asOf: undefined, targetText: 'just before the LSN 0/F000000', recovery: undefined })
    expect(rows(plan)).toMatchObject({
      'Data as of': 'just before the LSN 0/F000000',
      WAL: 'only that of the snapshot',
    })
    expect(rows(aPlan({ wal: { segments: 1, bytes: 1024 } })).WAL).toBe('1 segment to replay, 1.0 kB')
  })

  it('names the switches of timeline on the way', () => {
    const switches = [{ timeline: 2, lsn: '0/C001B8' }]
    expect(rows(aPlan({ switches })).WAL).toBe(
      '12 segments to replay, 192 MB, over a switch to timeline 2 at 0/C001B8',
    )
  })

  it('stands in two columns', () => {
    expect(
      rowsText([
        ['Backup', 'x'],
        ['WAL', 'y'],
      ]),
    ).toBe('Backup     x\nWAL        y')
  })
})

describe('what a recovery has reached', () => {
  const recoveryResult = { commitTime: '2026-11-20T15:03:59.500000Z', lsn: '0/E000000', paused: false }

  it('is told with the time of the last commit, where there was one', () => {
    expect(recoveryResultText(aPlan(), recoveryResult)).toMatch(
      /^the time 2026-11-20T15:04:00Z; the last commit was at 2026-11-20 15:03:59 UTC/,
    )
    expect(recoveryResultText(aPlan(), { ...recoveryResult, commitTime: undefined })).toMatch(
      /^2026-11-20 15:04:00 UTC/,
    )
    expect(recoveryResultText(aPlan({ asOf: undefined, targetText: 'the LSN 0/1' }), undefined)).toBe(
      'the LSN 0/1',
    )
  })

  it('is JSON with nothing left out', () => {
    expect(recoveryJson(aPlan(), recoveryResult)).toEqual({
      goal: 'the time 2026-11-20T15:04:00Z',
      as_of: '2026-11-20T15:04:00.000000Z',
      archive_until: '2026-11-20T15:13:59.123456Z',
      archive: undefined,
      wal: { segments: 12, bytes: 201326592 },
      reached_lsn: '0/E000000',
      last_commit_at: '2026-11-20T15:03:59.500000Z',
    })
    expect(recoveryJson(aPlan({ asOf: undefined }))).toMatchObject({
      as_of: null,
      reached_lsn: null,
      last_commit_at: null,
    })
  })
})
