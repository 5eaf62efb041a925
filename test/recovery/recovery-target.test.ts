import { describe, expect, it } from '@jest/globals'
import { describePoint, type TargetPoint } from '../../src/recovery/recovery-target.js'
import { instantOf, shortInstant } from '../../src/text/instant.js'

describe('an instant', () => {
  it.each([
    ['2026-11-20T15:04:00Z', '2026-11-20T15:04:00.000000Z'],
    ['2026-11-20T15:04:00.5Z', '2026-11-20T15:04:00.500000Z'],
    ['2026-11-20T15:04:00.123Z', '2026-11-20T15:04:00.123000Z'],
    ['2026-11-20T15:04:00.123456Z', '2026-11-20T15:04:00.123456Z'],
    ['2026-11-20T15:04:00.1234567Z', '2026-11-20T15:04:00.123456Z'],
  ])('of %s is %s', (time, instant) => expect(instantOf(time)).toBe(instant))

  it.each([
    ['2026-11-20T15:04:00.000000Z', '2026-11-20T15:04:00Z'],
    ['2026-11-20T15:04:10.000000Z', '2026-11-20T15:04:10Z'],
    ['2026-11-20T15:04:00.120000Z', '2026-11-20T15:04:00.12Z'],
  ])('%s is short %s', (instant, short) => expect(shortInstant(instant)).toBe(short))
})

describe('a recovery target in plain words', () => {
  it.each([
    [{ kind: 'snapshot' }, "the snapshot's end"],
    [{ kind: 'latest' }, 'the end of the WAL archive'],
    [{ kind: 'time', time: '2026-11-20T15:04:00.000000Z' }, 'the time 2026-11-20T15:04:00Z'],
    [{ kind: 'lsn', lsn: '16/B374D848' }, 'the LSN 16/B374D848'],
    [{ kind: 'xid', xid: '731' }, 'the transaction 731'],
    [{ kind: 'name', name: 'a "b"' }, 'the restore point "a \\"b\\""'],
  ] as [TargetPoint, string][])('%j is %s', (point, text) => expect(describePoint(point)).toBe(text))
})
