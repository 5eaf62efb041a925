import { describe, expect, it } from '@jest/globals'
import { formatAge, formatAgo, formatBytes, formatDuration } from '../../src/text/format.js'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('formatBytes', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1024, '1.0 kB'],
    [1536, '1.5 kB'],
    [100 * 1024, '100 kB'],
    [16 * 1024 ** 2, '16.0 MB'],
    [2.25 * 1024 ** 3, '2.3 GB'],
    [5 * 1024 ** 4, '5.0 TB'],
    [5000 * 1024 ** 5, '5000 PB'],
  ])('writes %d as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it('never shows four digits before it goes to the next unit', () => {
    expect(formatBytes(999.7 * 1024)).toBe('1.0 MB')
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0.0 s'],
    [800, '0.8 s'],
    [12 * second, '12 s'],
    [59 * second, '59 s'],
    [minute, '1 min 0 s'],
    [4 * minute + 10 * second, '4 min 10 s'],
    [2 * hour + 5 * minute, '2 h 5 min'],
    [50 * hour, '50 h 0 min'],
  ])('writes %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

  it('never rounds up to sixty seconds', () => expect(formatDuration(59_700)).not.toBe('60 s'))
})

describe('formatAge', () => {
  it.each([
    [0, 'just now'],
    [59 * second, 'just now'],
    [minute, '1 minute'],
    [5 * minute, '5 minutes'],
    [hour, '1 hour'],
    [day - 1, '23 hours'],
    [3 * day, '3 days'],
    [61 * day, '2 months'],
    [800 * day, '2 years'],
    [-second, 'just now'],
    [-hour, 'in the future'],
  ])('writes %d ms as %s', (ms, text) => expect(formatAge(ms)).toBe(text))
})

describe('formatAgo', () => {
  it.each([
    [0, 'just now'],
    [-120_000, 'in the future'],
    [60_000, '1 minute ago'],
    [3 * 86_400_000, '3 days ago'],
  ])('says %i ms as %s', (ms, text) => expect(formatAgo(ms)).toBe(text))
})
