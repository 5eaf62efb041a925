import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { inParallel } from '../../../src/system/files/in-parallel.js'
import { thrownBy } from '../../catalog/samples.js'

describe('inParallel', () => {
  it('does all, so many at a time', async () => {
    let [now, most, done] = [0, 0, 0]
    await inParallel(Array.from({ length: 20 }), 3, async () => {
      most = Math.max(most, ++now)
      await sleep(1)
      now--
      done++
    })
    expect({ most, done }).toEqual({ most: 3, done: 20 })
  })

  it('stops at the first failure, and throws when nothing is going on any more', async () => {
    const seen: number[] = []
    let now = 0
    let fail = () => {}
    const failed = new Promise<void>((resolve) => {
      fail = resolve
    })
    const error = await thrownBy(() =>
      inParallel([1, 2, 3, 4, 5, 6], 2, async (item) => {
        seen.push(item)
        if (item === 2) fail()
        if (item === 2) throw new RangeError('two')
        now++
        await failed
        await sleep(1)
        now--
      }),
    )
    expect({ error: String(error), seen, now }).toEqual({ error: 'RangeError: two', seen: [1, 2], now: 0 })
  })
})
