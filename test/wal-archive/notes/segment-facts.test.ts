import { describe, expect, it } from '@jest/globals'
import { mayEnd, rangesOf, type SegmentFacts } from '../../../src/wal-archive/notes/segment-facts.js'

describe('transaction ids as ranges', () => {
  it.each([
    [[], []],
    [[7], [[7, 7]]],
    [
      [3, 1, 2, 2, 9],
      [
        [1, 3],
        [9, 9],
      ],
    ],
  ])('of %j are %j', (ids, ranges) => expect(rangesOf(ids)).toEqual(ranges))

  it('leave out the widest gaps where there are too many', () => {
    const ids = [1, 2, 4, 100, 101, 103, 900]
    expect(rangesOf(ids, 3)).toEqual([
      [1, 4],
      [100, 103],
      [900, 900],
    ])
  })

  it('have every one of them in them', () => {
    const ids = Array.from({ length: 5000 }, (_, n) => (n * n * 7919) % 4_294_967_296)
    const facts = { xids: rangesOf(ids) } as SegmentFacts
    expect(facts.xids.length).toBeLessThanOrEqual(16)
    expect(ids.filter((id) => !mayEnd(facts, String(id)))).toEqual([])
  })
})
