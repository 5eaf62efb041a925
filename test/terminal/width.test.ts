import { describe, expect, it } from '@jest/globals'
import { loadWidths, widthOf } from '../../src/terminal/width.js'

describe('the width of a text', () => {
  it('counts characters, and, once Unicode is known, the columns of wide ones', async () => {
    expect([widthOf('abc'), widthOf('一年'), widthOf('')]).toEqual([3, 2, 0])
    await loadWidths()
    expect([widthOf('abc'), widthOf('一年'), widthOf('👍🏽'), widthOf('')]).toEqual([3, 4, 2, 0])
  })
})
