import { describe, expect, it } from '@jest/globals'
import {
  formatLsn,
  parseLsn,
  parseSegmentName,
  recordEnd,
  segmentName,
  segmentNumber,
} from '../../src/wal-segments/lsn.js'

const mb = 1024 * 1024

describe('parseLsn', () => {
  it.each([
    ['0/0', 0n],
    ['0/3000028', 0x3000028n],
    ['16/B374D848', 0x16b374d848n],
    ['16/b374d848', 0x16b374d848n],
    ['FFFFFFFF/FFFFFFFF', 0xffffffffffffffffn],
  ])('reads %s', (text, value) => expect(parseLsn(text)).toBe(value))

  it.each(['', '0', '/', '0/', '0/G', '0/123456789', '0/3000028 ', '0x1/2'])('refuses %j', (text) => {
    expect(() => parseLsn(text)).toThrow(`not an LSN: ${text}`)
  })
})

describe('segmentName', () => {
  // What pg_walfile_name() says on clusters that were made with initdb --wal-segsize.
  it.each([
    [1, '16/B374D848', '000000010000001600000B37'],
    [16, '16/B374D848', '0000000100000016000000B3'],
    [64, '16/B374D848', '00000001000000160000002C'],
    [1024, '16/B374D848', '000000010000001600000002'],
    [1, '0/FFFFFFFF', '000000010000000000000FFF'],
    [16, '0/FFFFFFFF', '0000000100000000000000FF'],
    [64, '0/FFFFFFFF', '00000001000000000000003F'],
    [1024, '0/FFFFFFFF', '000000010000000000000003'],
    [16, '1/1', '000000010000000100000000'],
  ])('with segments of %i MB names that of %s', (size, lsn, name) => {
    expect(segmentName(1, segmentNumber(parseLsn(lsn), size * mb), size * mb)).toBe(name)
  })

  it('begins with the timeline in hexadecimal', () => {
    expect(segmentName(26, 3n, 16 * mb)).toBe('0000001A0000000000000003')
  })
})

describe('segmentNumber', () => {
  it('changes at the first byte of the next segment', () => {
    const numbers = ['0/3000000', '0/3FFFFFF', '0/4000000'].map((lsn) =>
      segmentNumber(parseLsn(lsn), 16 * mb),
    )
    expect(numbers).toEqual([3n, 3n, 4n])
  })
})

describe('formatLsn', () => {
  it.each(['0/0', '0/3000028', '16/B374D848', 'FFFFFFFF/FFFFFFFF'])('writes %s as it was read', (text) => {
    expect(formatLsn(parseLsn(text))).toBe(text)
  })
})

describe('parseSegmentName', () => {
  it.each([
    [1, '0000001A0000001600000B37'],
    [16, '0000001A00000016000000B3'],
    [1024, '0000001A0000001600000002'],
  ])('with segments of %i MB reads what segmentName writes', (size, name) => {
    const { timeline, segment } = parseSegmentName(name, size * mb) ?? { timeline: 0, segment: 0n }
    expect(timeline).toBe(26)
    expect(segmentName(timeline, segment, size * mb)).toBe(name)
  })

  it.each(['', '00000002.history', '000000010000000000000100', '00000001000000000000000g'])(
    'refuses %j',
    (name) => {
      expect(parseSegmentName(name, 16 * mb)).toBeUndefined()
    },
  )
})

describe('recordEnd', () => {
  // As pg_waldump shows where the next record begins.
  it.each([
    ['0/3000028', 114, '0/30000A0'],
    ['0/3001FD0', 48, '0/3002000'],
    ['0/3001FD0', 50, '0/3002020'],
    ['0/3FFFFF0', 32, '0/4000038'],
    ['0/3000028', 8192 * 2, '0/3004058'],
  ])('of a record at %s of %i bytes is %s', (start, length, end) => {
    expect(formatLsn(recordEnd(parseLsn(start), length, 16 * mb))).toBe(end)
  })
})
