import { describe, expect, it } from '@jest/globals'
import { parseTime } from '../../src/recovery/parse-time.js'
import { instantOf } from '../../src/text/instant.js'
import { thrownBy } from '../catalog/samples.js'

const now = new Date('2026-11-20T15:00:00.500Z')
const parse = (text: string, zone = 'Europe/Berlin') => parseTime(text, now, zone)

describe('a time', () => {
  it.each([
    ['2026-11-20T15:04:00Z', '2026-11-20T15:04:00.000000Z'],
    ['2026-11-20 15:04:00.123456+00', '2026-11-20T15:04:00.123456Z'],
    ['2026-11-20 15:04:00,5 UTC', '2026-11-20T15:04:00.500000Z'],
    ['2026-11-20T15:04+05:30', '2026-11-20T09:34:00.000000Z'],
    ['2026-11-20T15:04-0330', '2026-11-20T18:34:00.000000Z'],
    ['2026-11-20 15:04 America/New_York', '2026-11-20T20:04:00.000000Z'],
    ['10 minutes ago', '2026-11-20T14:50:00.500000Z'],
    ['1 day ago', '2026-11-19T15:00:00.500000Z'],
  ])('%s is %s', (text, instant) => expect(parse(text)).toEqual({ instant, assumedZone: undefined }))

  it.each([
    ['2026-11-20 15:04', '2026-11-20T14:04:00.000000Z'],
    ['2026-11-20', '2026-11-19T23:00:00.000000Z'],
    ['2026-07-20T15:04:01.000002', '2026-07-20T13:04:01.000002Z'],
    ['2026-10-25 00:30', '2026-10-24T22:30:00.000000Z'],
    ['2026-10-25 03:00', '2026-10-25T02:00:00.000000Z'],
    ['2026-03-29 01:59:59', '2026-03-29T00:59:59.000000Z'],
    ['2026-03-29 03:00', '2026-03-29T01:00:00.000000Z'],
  ])('%s without a zone is read by the clocks of Berlin as %s', (text, instant) =>
    expect(parse(text)).toEqual({ instant, assumedZone: 'Europe/Berlin' }),
  )

  it('that the clocks had twice is refused, and both are named', async () => {
    expect(await thrownBy(() => parse('2026-10-25 02:30'))).toMatchObject({
      code: 'usage',
      message: '2026-10-25 02:30 happened twice in Europe/Berlin: the clocks were put back over it',
      hint: 'Write which of the two is meant:\n  2026-10-25T00:30:00Z\n  2026-10-25T01:30:00Z',
    })
  })

  it('that the clocks skipped is refused', async () => {
    expect((await thrownBy(() => parse('2026-03-29 02:30'))).message).toContain(
      'does not exist in Europe/Berlin',
    )
  })

  it.each([
    '',
    'yesterday',
    '15:04',
    '2026-02-31',
    '2026-13-01',
    '2026-11-20T25:00',
    '5 minutes',
    '2026-11-20 15:04 Mars/Base',
  ])('is not %j', async (text) => expect(await thrownBy(() => parse(text))).toMatchObject({ code: 'usage' }))
})

describe('an instant', () => {
  it.each([
    ['2026-11-20T15:04:00Z', '2026-11-20T15:04:00.000000Z'],
    ['2026-11-20T15:04:00.12Z', '2026-11-20T15:04:00.120000Z'],
    ['2026-11-20T15:04:00.123456Z', '2026-11-20T15:04:00.123456Z'],
  ])('of %s is %s', (time, instant) => expect(instantOf(time)).toBe(instant))
})
