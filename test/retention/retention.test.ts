import { describe, expect, it } from '@jest/globals'
import { removesAnything } from '../../src/retention/retention.js'
import { aCandidate, dailyUntil, judged, staying } from './histories.js'

const days = (ids: string[]) => ids.map((id) => `${id.slice(4, 6)}-${id.slice(6, 8)}`)

describe('daily, weekly, monthly', () => {
  it('keep the newest of each of the newest days', () => {
    const twice = [...dailyUntil('2026-11-20', 5), aCandidate('2026-11-19T15:00:00Z')]
    expect(staying(twice, { daily: 2 })).toEqual(['20261119T150000Z', '20261120T030000Z'])
  })

  it('count only days that have a backup', () => {
    const rare = ['2026-11-20', '2026-11-03', '2026-09-01', '2026-01-01'].map((day) =>
      aCandidate(`${day}T03:00:00Z`),
    )
    expect(days(staying(rare, { daily: 3 }))).toEqual(['09-01', '11-03', '11-20'])
  })

  it('add up, and every one that keeps a backup is named', () => {
    const all = dailyUntil('2026-11-20', 90)
    const policy = { daily: 3, weekly: 3, monthly: 3 }
    expect(days(staying(all, policy))).toEqual([
      '09-30',
      '10-31',
      '11-08',
      '11-15',
      '11-18',
      '11-19',
      '11-20',
    ])
    expect(judged(all, policy)['20261120T030000Z']).toEqual([
      'newest whole',
      'daily 2026-11-20',
      'weekly 2026-W47',
      'monthly 2026-11',
    ])
  })

  it('go by the calendar of the time zone', () => {
    const around = ['2026-11-19T22:30:00Z', '2026-11-19T23:30:00Z', '2026-11-20T22:30:00Z'].map((time) =>
      aCandidate(time),
    )
    expect(staying(around, { daily: 2 }, undefined, 'UTC')).toEqual(['20261119T233000Z', '20261120T223000Z'])
    expect(staying(around, { daily: 2 }, undefined, 'Europe/Berlin')).toEqual([
      '20261119T223000Z',
      '20261120T223000Z',
    ])
  })

  it('of 0 keep nothing by themselves', () => {
    expect(days(staying(dailyUntil('2026-11-20', 5), { daily: 0 }))).toEqual(['11-20'])
  })
})

describe('on_demand', () => {
  const scheduled = dailyUntil('2026-11-20', 4)
  const byHand = ['2026-11-16', '2026-11-17', '2026-11-18'].map((day) =>
    aCandidate(`${day}T09:00:00Z`, { kind: 'on-demand' }),
  )

  it('keeps the newest that were made by hand', () => {
    const kept = staying([...scheduled, ...byHand], { daily: 1, on_demand: 2 })
    expect(kept).toEqual(['20261117T090000Z', '20261118T090000Z', '20261120T030000Z'])
  })

  it('alone leaves scheduled backups alone', () => {
    const kept = judged([...scheduled, ...byHand], { on_demand: 0 })
    expect(kept['20261117T030000Z']).toEqual(['scheduled the policy has only on_demand'])
    expect(kept['20261117T090000Z']).toEqual([])
  })

  it('is needed for a hand-made one to stay by a rule of its own', () => {
    expect(judged([...scheduled, ...byHand], { daily: 1 })['20261118T090000Z']).toEqual([])
  })
})

describe('window', () => {
  it('keeps what restoring to any moment of the span needs', () => {
    const kept = staying(dailyUntil('2026-11-20', 30), { window: '3 days' }, '2026-11-20T12:00:00Z')
    expect(days(kept)).toEqual(['11-17', '11-18', '11-19', '11-20'])
  })

  it('begins where the backup is finished, not where it is started', () => {
    const now = '2026-11-20T03:05:00Z'
    expect(days(staying(dailyUntil('2026-11-20', 9), { window: '2 days' }, now))).toEqual([
      '11-17',
      '11-18',
      '11-19',
      '11-20',
    ])
  })

  it('keeps also the one that reaches the span where the last before it does not', () => {
    const [newest, ...older] = dailyUntil('2026-11-20', 6)
    const short = older.map((one, index) =>
      index === 2 ? { ...one, window: { ...one.window, to: one.window.from } } : one,
    )
    const kept = staying([newest as never, ...short], { window: '2 days' }, '2026-11-20T02:00:00Z')
    expect(days(kept)).toEqual(['11-16', '11-17', '11-18', '11-19', '11-20'])
  })

  it('keeps one whose check has failed where no other reaches the span', () => {
    const [one, two, three] = dailyUntil('2026-11-20', 3)
    if (!one || !two || !three) throw new Error('too few')
    const failed = { ...two, check: 'failed' as const }
    const short = { ...three, window: { ...three.window, to: three.window.from } }
    const kept = staying([one, failed, short], { window: '12 hours' }, '2026-11-20T02:00:00Z')
    expect(days(kept)).toEqual(['11-18', '11-19', '11-20'])
  })

  it('of a root without any that is old enough keeps all', () => {
    expect(staying(dailyUntil('2026-11-20', 3), { window: '2 months' })).toHaveLength(3)
  })
})

describe('whatever the policy says', () => {
  const none = { daily: 0 }

  it('min whole ones stay', () => {
    expect(days(staying(dailyUntil('2026-11-20', 9), { ...none, min: 4 }))).toEqual([
      '11-17',
      '11-18',
      '11-19',
      '11-20',
    ])
  })

  it('those that failed a check do not count for min while there are others', () => {
    const all = dailyUntil('2026-11-20', 5)
    const failed = all.map((one, index) => (index === 1 ? { ...one, check: 'failed' as const } : one))
    expect(days(staying(failed, { ...none, min: 3 }))).toEqual(['11-17', '11-18', '11-20'])
  })

  it('the newest proven one stays, and the newest that did not fail', () => {
    const checks = ['failed', 'none', 'none', 'proven', 'proven'] as const
    const all = dailyUntil('2026-11-20', 5).map((one, index) => ({ ...one, check: checks[index] ?? 'none' }))
    expect(judged(all, none)).toEqual({
      '20261120T030000Z': ['newest whole'],
      '20261119T030000Z': ['newest that no check failed'],
      '20261118T030000Z': [],
      '20261117T030000Z': ['newest proven'],
      '20261116T030000Z': [],
    })
  })

  it('a backup that failed its check takes the place of no other', () => {
    const all = [
      aCandidate('2026-11-20T15:00:00Z', { check: 'failed' }),
      ...dailyUntil('2026-11-20', 2),
      aCandidate('2026-11-18T03:00:00Z', { check: 'failed' }),
    ]
    expect(judged(all, { daily: 3 })).toMatchObject({
      '20261120T150000Z': ['newest whole'],
      '20261120T030000Z': ['newest that no check failed', 'daily 2026-11-20'],
      '20261118T030000Z': ['daily 2026-11-18'],
    })
  })

  it('what is held, in use or not whole stays', () => {
    const all = dailyUntil('2026-11-20', 4)
    const reasons = [{ rule: 'held', detail: 'for the audit' }]
    const changed = [all[0], { ...all[1], protectedBy: reasons }, { ...all[2], whole: false }, all[3]]
    expect(judged(changed as typeof all, none)).toEqual({
      '20261120T030000Z': ['newest whole'],
      '20261119T030000Z': ['held for the audit'],
      '20261118T030000Z': ['not whole only pgbk delete removes it'],
      '20261117T030000Z': [],
    })
  })

  it('each cluster is judged by itself', () => {
    const old = dailyUntil('2025-06-01', 5, { cluster: 'old' })
    const kept = staying([...dailyUntil('2026-11-20', 5), ...old], { daily: 2, min: 2 })
    expect(days(kept)).toEqual(['05-31', '06-01', '11-19', '11-20'])
  })
})

describe('a policy', () => {
  it.each([
    [undefined, false],
    [{}, false],
    [{ min: 3 }, false],
    [{ daily: 0 }, true],
    [{ on_demand: 3 }, true],
    [{ window: '1 day' }, true],
  ])('%j removes something: %s', (policy, expected) => expect(removesAnything(policy)).toBe(expected))
})
