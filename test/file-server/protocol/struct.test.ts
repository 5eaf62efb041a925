import { expect, it } from '@jest/globals'
import { struct } from '../../../src/file-server/protocol/struct.js'

it('a structure is read as it was written, with every width and sign', () => {
  const all = struct({
    a: 'uint16',
    b: 'uint16',
    c: 'uint32',
    d: 'int32',
    e: 'uint32',
    f: 'uint64',
    g: 'int64',
  })
  expect(all.size).toBe(32)
  const values = { a: 65_535, b: 1, c: 2 ** 32 - 1, d: -5, e: 7, f: 2 ** 53 - 1, g: -(2 ** 40) - 3 }
  const buffer = Buffer.alloc(40, 0xff)
  all.write(buffer, 8, values)
  const read = all.read(buffer, 8)
  const names = Object.keys(values) as (keyof typeof values)[]
  expect(Object.fromEntries(names.map((name) => [name, read[name]]))).toEqual(values)
  expect(buffer.readBigInt64LE(32)).toBe(-(2n ** 40n) - 3n)
  all.write(buffer, 8, {})
  expect(buffer.subarray(8)).toEqual(Buffer.alloc(32))
})
