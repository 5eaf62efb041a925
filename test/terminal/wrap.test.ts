import { describe, expect, it } from '@jest/globals'
import { wrap } from '../../src/terminal/wrap.js'

describe('wrap', () => {
  it('breaks lines at spaces', () => {
    expect(wrap('one two three four', 9)).toBe('one two\nthree\nfour')
  })

  it('leaves text alone where there is no terminal', () => {
    expect(wrap('one two three four', undefined)).toBe('one two three four')
  })

  it('keeps lines that fit, and empty ones', () => expect(wrap('one\n\ntwo', 3)).toBe('one\n\ntwo'))

  it('keeps a long word whole, so that it can be copied', () => {
    expect(wrap('see https://example.org/a/long/path now', 10)).toBe(
      'see\nhttps://example.org/a/long/path\nnow',
    )
  })

  it('keeps indented lines, which are commands', () => {
    expect(wrap('do this:\n  pgbk create -h db1 -U backup', 12)).toBe(
      'do this:\n  pgbk create -h db1 -U backup',
    )
  })
})
