import { describe, expect, it } from '@jest/globals'
import { type HealthFigures, type HealthLimits, judgeHealth } from '../../src/monitoring/health.js'

const hour = 3_600_000
const well: HealthFigures = {
  ageMs: 5 * hour,
  check: 'proven',
  proofAgeMs: 48 * hour,
  lagMs: 1000,
  gap: undefined,
  createFailure: undefined,
  receiver: 'alive',
}
const judged = (changes: Partial<HealthFigures>, limits: Partial<HealthLimits> = {}) =>
  judgeHealth(
    { ...well, ...changes },
    { maxAgeMs: 26 * hour, ...limits },
    (command) => `pgbk ${command}`,
  ).map(({ severity, text }) => `${severity}: ${text}`)

describe('the health of a root', () => {
  it.each<[string, Partial<HealthFigures>, Partial<HealthLimits>]>([
    ['all is well', {}, { maxProofAgeMs: 72 * hour, maxLagMs: 60_000 }],
    ['a limit is just reached', { ageMs: 26 * hour }, {}],
    ['nobody asked for proofs', { check: 'none', proofAgeMs: undefined }, {}],
    ['nobody asked for a lag', { lagMs: 100 * hour }, {}],
    ['no receiver has ever run', { receiver: 'none' }, {}],
    ['the receiver was told to end', { receiver: 'ended' }, {}],
  ])('is good where %s', (_what, changes, limits) => expect(judged(changes, limits)).toEqual([]))

  it.each<[string, Partial<HealthFigures>, Partial<HealthLimits>]>([
    ['critical: there is no whole backup', { ageMs: undefined }, {}],
    ['critical: the newest backup is older than 26 h 0 min', { ageMs: 26 * hour + 1 }, {}],
    ['critical: the newest check of the newest backup failed', { check: 'failed' }, {}],
    ['critical: no backup is proven', { proofAgeMs: undefined }, { maxProofAgeMs: hour }],
    ['critical: the newest proof is older than 1 h 0 min', {}, { maxProofAgeMs: hour }],
    [
      'critical: the window of the newest backup ends more than 30 s ago',
      { lagMs: 30_001 },
      { maxLagMs: 30_000 },
    ],
    ['warning: the newest backup could not be proven', { check: 'unproven' }, {}],
    ['warning: the last create failed: no room', { createFailure: 'no room' }, {}],
    ['warning: the WAL archive of the newest backup is broken: it is missing', { gap: 'it is missing' }, {}],
    ['warning: the WAL receiver is not running', { receiver: 'lost' }, {}],
  ])('tells %s', (problem, changes, limits) => expect(judged(changes, limits)).toEqual([problem]))

  it('tells what is critical first', () =>
    expect(judged({ createFailure: 'no room', ageMs: 40 * hour }).map((text) => text.split(':')[0])).toEqual([
      'critical',
      'warning',
    ]))
})
