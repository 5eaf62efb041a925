import { expect, it } from '@jest/globals'
import { sizeOfJson } from '../../src/text/json-size.js'

const endless = Number.POSITIVE_INFINITY

it.each([
  ['1', 0, 1],
  ['[1, 2]', 1, 3],
  ['{"a": [1, {"b": null}], "c": "x"}', 3, 6],
  [String.raw`["[[,,", "\"[,", "\\", "{\\\"["]`, 1, 5],
  ['[{}, [], {}]', 2, 4],
  ['"never ended [[[,,,', 0, 1],
])('counts in %s what is made of it', (text, depth, values) => {
  expect(sizeOfJson(text, endless)).toEqual({ depth, values })
})

it.each(['age-encryption.org/v1', '[[[[\u0000', '{"a": é}'])('knows %j for what is no JSON', (text) => {
  expect(sizeOfJson(text, endless)).toBeUndefined()
})

it('ends where there is more than may be', () => {
  expect(sizeOfJson('[1],'.repeat(1000), 10)?.values).toBe(11)
  expect(sizeOfJson('['.repeat(1_000_000), endless)?.depth).toBeLessThan(20_000)
})
