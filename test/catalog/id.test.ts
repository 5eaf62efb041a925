import { describe, expect, it } from '@jest/globals'
import { idOf, isId, nextFreeId, timeOfId } from '../../src/catalog/id.js'

describe('an id', () => {
  it.each(['20261120T030000Z', '20240229T235959Z', '19991231T000000Z'])('%s stands for its time', (id) => {
    const time = timeOfId(id)
    expect(time && idOf(time)).toBe(id)
  })

  it('leaves out parts of a second', () => {
    expect(idOf(new Date('2026-11-20T03:00:00.999Z'))).toBe('20261120T030000Z')
  })

  it('sorts by time', () => {
    const times = ['2026-11-20T03:00:00Z', '2026-11-20T12:00:00Z', '2027-01-01T00:00:00Z']
    const ids = times.map((time) => idOf(new Date(time)))
    expect([...ids].sort()).toEqual(ids)
  })

  it.each([
    '20260229T030000Z',
    '20261320T030000Z',
    '20261120T250000Z',
    '20261120T036000Z',
    '20261120T030000',
    '20261120T030000z',
    '20261120T030000Z\n',
    ' 20261120T030000Z',
    '2026-11-20T03:00:00Z',
    '../20261120T030000Z',
    'latest',
    '',
  ])('is not %j', (text) => {
    expect(timeOfId(text)).toBeUndefined()
    expect(isId(text)).toBe(false)
  })
})

describe('nextFreeId', () => {
  const time = new Date('2026-11-20T23:59:59.500Z')

  it('takes the second itself when it is free', () => {
    expect(nextFreeId(time, () => false)).toBe('20261120T235959Z')
  })

  it('goes on to the next second that nobody has, over midnight too', () => {
    const taken = ['20261120T235959Z', '20261121T000000Z']
    expect(nextFreeId(time, (id) => taken.includes(id))).toBe('20261121T000001Z')
  })
})
