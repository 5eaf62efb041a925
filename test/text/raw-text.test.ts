import { describe, expect, it } from '@jest/globals'
import { isRaw, percentEncoded, rawBytes, shownText, textOf } from '../../src/text/raw-text.js'

const bytes = (...list: (number | string)[]) =>
  Buffer.concat(list.map((one) => (typeof one === 'string' ? Buffer.from(one) : Buffer.from([one]))))

describe('a name of a server', () => {
  it.each([
    ['ASCII', bytes('plain'), false],
    ['UTF-8', bytes('dépôt 😀'), false],
    ['LATIN1', bytes('d', 0xe9, 'p', 0xf4, 't'), true],
    ['half a character', bytes('€', 0xe2, 0x82), true],
    ['a surrogate in UTF-8', bytes(0xed, 0xa0, 0x80), true],
    ['bytes that never occur', bytes(0xff, 'a', 0xfe, 'é', 0xc0, 0x80), true],
  ])('in %s comes back as the same bytes, also through JSON', (_, name, raw) => {
    const text = textOf(name)
    expect(isRaw(text)).toBe(raw)
    expect(rawBytes(JSON.parse(JSON.stringify(text)))).toEqual(name)
  })

  it.each([
    ['LATIN1', 0xe9, 'é'],
    ['LATIN2', 0xb3, 'ł'],
    ['LATIN9', 0xa4, '€'],
    ['WIN1251', 0xe9, 'й'],
    ['KOI8R', 0xc1, 'а'],
    ['ISO_8859_7', 0xe1, 'α'],
    ['SQL_ASCII', 0xe9, 'é'],
    ['MULE_INTERNAL', 0xe9, 'é'],
  ])('in %s is shown as it was meant', (encoding, byte, shown) => {
    expect(shownText(textOf(bytes('x', byte)), encoding)).toBe(`x${shown}`)
  })

  it('stands in a URL with its bytes', () => {
    expect(percentEncoded(textOf(bytes('caf', 0xe9, '/é')))).toBe('caf%E9%2F%C3%A9')
  })
})
