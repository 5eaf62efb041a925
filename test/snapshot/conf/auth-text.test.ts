import { describe, expect, it } from '@jest/globals'
import { authReferences, authWord } from '../../../src/snapshot/conf/auth-text.js'

const found = (text: string, major = 17) =>
  authReferences(text, major).map(({ kind, path }) => (kind === 'list' ? `@${path}` : `${kind} ${path}`))

describe('the files that pg_hba.conf and pg_ident.conf name', () => {
  it.each([
    ['local all @admins trust', ['@admins']],
    ['local @a,@b/c @/d trust', ['@a', '@b/c', '@/d']],
    ['local all x,@y,"z" trust # @no', ['@y']],
    ['local all "@no" trust', []],
    ['local all a@no trust', []],
    ['local all @ trust', []],
    ['local all @"with space" trust', ['@with space']],
    ['local all @"with ""quotes""" trust', ['@with "quotes"']],
    ['local all @half" and half" trust', ['@half and half']],
    ['local all @caf\xc3\xa9\xa0x trust\r\n# @no\r\nlocal all @b trust\r', ['@caf\xc3\xa9\xa0x', '@b']],
    ['#local all @no trust', []],
    ['local all a, \\\n @b, \\\r\n"c" trust', ['@b']],
    ['local all @a\\\nb trust', ['@ab']],
    ['include x.conf', ['include x.conf']],
    ['  include_dir\t"my dir" # why', ['include_dir my dir']],
    ['include_if_exists "a ""b"""', ['include_if_exists a "b"']],
    ['"include" quoted', ['include quoted']],
    ['include a b', []],
    ['include\ninclude_directory x', []],
    ['Include x', []],
  ])('in %j', (text, names) => expect(found(text)).toEqual(names))

  it('are what the version knows', () => {
    expect(found('include x\nlocal all @a\\\nb trust', 15)).toEqual(['@ab'])
    expect(found('local all @a\\\n@b trust', 13)).toEqual(['@a\\', '@b'])
  })

  it('are where they say', () => {
    const text = 'local all x,@"a b",y trust\ninclude "c"'
    expect(authReferences(text, 16).map(({ start, end }) => text.slice(start, end))).toEqual([
      '@"a b"',
      '"c"',
    ])
  })

  it('can be written again', () => {
    for (const path of ['a', 'a b', 'a"b', '"', '#x', 'a,b'])
      for (const kind of ['list', 'include'] as const) {
        const word = authWord(kind, path)
        const text = kind === 'list' ? `local all ${word} trust` : `include ${word}`
        expect(authReferences(text, 16)).toMatchObject([{ kind, path }])
      }
  })
})
