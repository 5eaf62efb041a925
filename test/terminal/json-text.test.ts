import { describe, expect, it } from '@jest/globals'
import { jsonText } from '../../src/terminal/json-text.js'
import { commandsOfTerminals, hasCommands } from './screens.js'

describe('a JSON document', () => {
  const value = { label: `a${commandsOfTerminals}\u009b31m\u202e\u2066\u2028\u007f ünï "x"`, list: [1, null] }

  it.each([undefined, 2])('has nothing that a terminal obeys, and says the same (indent %p)', (indent) => {
    const text = jsonText(value, indent)
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Bidi_Control}|\p{Zl}/u)
    expect(hasCommands(text)).toBe(false)
    expect(JSON.parse(text)).toEqual(value)
  })

  it('is else as it always was', () => {
    const plain = { name: 'ünï', size: 1, nothing: null }
    expect(jsonText(plain)).toBe(`${JSON.stringify(plain)}\n`)
    expect(jsonText(plain, 2)).toBe(`${JSON.stringify(plain, undefined, 2)}\n`)
  })
})
