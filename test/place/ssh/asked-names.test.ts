import { describe, expect, it } from '@jest/globals'
import { AskedNames } from '../../../src/place/ssh/asked-names.js'
import { bytePath, shownPath } from '../../../src/system/paths/byte-path.js'

const [one, other] = [0xe8, 0xe9].map((byte) => bytePath(Buffer.from([0x63, byte])))
const shown = shownPath(one ?? bytePath(''))

describe('a name that was asked for', () => {
  it('is found as it was asked for, also where it is no UTF-8', () => {
    const names = new AskedNames([bytePath('a'), bytePath('ü'), bytePath(Buffer.from([0x78, 0xff]))])
    expect(['a', 'ü', 'x\ufffd', 'b'].map((name) => names.take(name))).toEqual([
      'a',
      bytePath('ü'),
      bytePath(Buffer.from([0x78, 0xff])),
      undefined,
    ])
  })

  it('comes in the order of asking where several look alike', () => {
    const names = new AskedNames([one, other].flatMap((name) => name ?? []))
    expect([names.take(shown), names.find(shown), names.take(shown)]).toEqual([one, other, other])
  })
})
