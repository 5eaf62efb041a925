import { describe, expect, it } from '@jest/globals'
import { check, v } from '../src/schema.js'

const schema = v.strictObject({
  name: v.string(),
  inner: v.optional(v.strictObject({ count: v.optional(v.pipe(v.number(), v.integer())) }), {}),
  list: v.optional(v.array(v.string()), []),
  either: v.optional(
    v.union([v.literal('a'), v.pipe(v.string(), v.regex(/^b/, 'must be a or begin with b'))]),
  ),
})

describe('check', () => {
  it('returns the value with its defaults', () => {
    expect(check(schema, { name: 'x' })).toEqual({ value: { name: 'x', inner: {}, list: [] } })
  })

  it('names every fault with the path of its value', () => {
    const { faults = [] } = check(schema, { name: 1, inner: { count: 1.5 }, list: ['x', 2] })
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['name', 'inner.count', 'list.1'])
  })

  it('names unknown keys, nested ones too', () => {
    const { faults } = check(schema, { name: 'x', other: 1, inner: { more: 2 } })
    expect(faults?.sort()).toEqual(['inner.more: unknown key', 'other: unknown key'])
  })

  it('names a missing value by its key', () => {
    const { faults } = check(schema, {})
    expect(faults).toHaveLength(1)
    expect(faults?.[0]).toMatch(/^name: /)
    expect(faults?.[0]).not.toMatch(/unknown key/)
  })

  it('says what a value with alternatives must be', () => {
    expect(check(schema, { name: 'x', either: 'c' }).faults).toEqual(['either: must be a or begin with b'])
  })

  it.each([['a text'], [null], [undefined], [[1]]])('refuses %j where an object is expected', (input) => {
    const { value, faults } = check(schema, input)
    expect(value).toBeUndefined()
    expect(faults?.length).toBeGreaterThan(0)
  })
})
