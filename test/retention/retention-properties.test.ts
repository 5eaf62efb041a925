import { expect, it } from '@jest/globals'
import { type Candidate, judge, type RetentionPolicy } from '../../src/retention/retention.js'
import { randomNumbers, seed } from '../helpers/chance.js'
import { aCandidate } from './histories.js'
import { brokenPromises } from './promises.js'

const rounds = 150
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Pacific/Auckland',
  'Asia/Kolkata',
  'Africa/Casablanca',
]

/** Draws numbers one after the other, the same ones for the same seed and round. */
function dice(round: number): (limit: number) => number {
  const numbers = randomNumbers(2000, 2 ** 30, `retention ${round}`)
  return (limit) => (numbers.pop() ?? 0) % limit
}

function aHistory(draw: (limit: number) => number): Candidate[] {
  const found = new Map<string, Candidate>()
  const first = Date.parse('2026-01-01T00:00:00Z')
  const days = 1 + draw(300)
  for (let count = draw(80); count > 0; count--) {
    const startedAt = new Date(first + draw(days * 86_400) * 1000)
    const candidate = aCandidate(startedAt, {
      kind: draw(3) === 0 ? 'on-demand' : 'scheduled',
      whole: draw(12) !== 0,
      check: (['none', 'none', 'proven', 'failed'] as const)[draw(4)] ?? 'none',
      cluster: draw(5) === 0 ? 'old' : 'one',
      window: { from: startedAt.getTime() + draw(7200) * 1000 },
      protectedBy: draw(15) === 0 ? [{ rule: 'held' }] : [],
    })
    found.set(candidate.id, candidate)
  }
  return [...found.values()]
}

function aPolicy(draw: (limit: number) => number): RetentionPolicy {
  const perhaps = (limit: number) => (draw(2) === 0 ? undefined : draw(limit))
  const days = perhaps(60)
  return {
    daily: perhaps(10),
    weekly: perhaps(8),
    monthly: perhaps(6),
    on_demand: perhaps(5),
    min: perhaps(8),
    window: days === undefined ? undefined : `${days} days`,
  }
}

it(`keeps every promise in ${rounds} random histories (PGBK_TEST_SEED=${seed})`, () => {
  let gone = 0
  for (let round = 0; round < rounds; round++) {
    const draw = dice(round)
    const all = aHistory(draw)
    const policy = aPolicy(draw)
    const options = {
      now: new Date(Date.parse('2026-01-01T00:00:00Z') + draw(400 * 86_400) * 1000),
      timeZone: zones[draw(zones.length)] ?? 'UTC',
    }
    const staysIn = (some: Candidate[]) => {
      const reasons = judge(some, policy, options)
      return some.filter(({ id }) => reasons.get(id)?.length)
    }
    const staying = staysIn(all)
    const stays = new Set(staying.map(({ id }) => id))
    const what = `round ${round}: ${JSON.stringify(policy)}`
    expect([what, ...brokenPromises({ all, stays, policy, ...options })]).toEqual([what])
    // A second prune finds nothing to do.
    expect([what, ...staysIn(staying).map(({ id }) => id)]).toEqual([what, ...stays])
    gone += all.length - staying.length
  }
  expect(gone).toBeGreaterThan(rounds)
})
