import { describe, expect, it } from '@jest/globals'
import { slotHealth, slotLimitProblem, slotProblem } from '../../src/monitoring/receiver-health.js'
import type { SlotFacts } from '../../src/postgres/server/wal-server.js'

const slot = (changes: Partial<SlotFacts>): SlotFacts => ({
  name: 'pgbk',
  slot_type: 'physical',
  active: true,
  active_pid: 1,
  restart_lsn: '0/3000000',
  wal_status: 'reserved',
  retained_bytes: 0,
  ...changes,
})

describe('the slot of a receiver', () => {
  it.each([
    ['unknown', undefined],
    ['missing', null],
    ['in-use', slot({})],
    ['in-use', slot({ wal_status: 'extended' })],
    ['unused', slot({ active: false })],
    ['at-risk', slot({ active: false, wal_status: 'unreserved' })],
    ['lost', slot({ wal_status: 'lost' })],
  ])('is %s: %j', (health, found) => expect(slotHealth(found)).toBe(health))

  it('is told of where it does not keep what it is to keep', () => {
    expect(slotProblem('pgbk', slot({ active: false }))).toBeUndefined()
    expect(slotProblem('pgbk', slot({ wal_status: 'lost' }))).toMatch(/^the slot pgbk is lost: /)
    expect(slotProblem('pgbk', slot({ wal_status: 'unreserved' }))).toMatch(/^the slot pgbk is about to be/)
  })

  it('is told to have no limit where it has none', () => {
    expect(slotLimitProblem(-1)).toMatch(/^max_slot_wal_keep_size is -1/)
    expect(slotLimitProblem(1024)).toBeUndefined()
  })
})
