import { expect, it } from '@jest/globals'
import { cutTo, lastWords } from '../../src/text/cut-to.js'

it.each([
  ['abc', 'abc'],
  ['abcd', 'abc…'],
  ['ab😀', 'ab…'],
])('cuts %s to three characters', (text, cut) => expect(cutTo(3, text)).toBe(cut))

it('keeps the last lines of a program, which say how it ended', () => {
  expect(lastWords('a banner\nx\ny\nsh: it failed\n')).toBe('x\ny\nsh: it failed')
  expect(lastWords('x'.repeat(10_000)).length).toBe(501)
})
