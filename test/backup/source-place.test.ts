import { describe, expect, it } from '@jest/globals'
import { parseSource, resolveSource } from '../../src/backup/source-place.js'
import { PgbkError } from '../../src/errors.js'

describe('a source', () => {
  it.each([
    ['/srv/pg', '/srv/pg'],
    ['pg', '/here/pg'],
    ['../pg', '/pg'],
    ['./db1:pg', '/here/db1:pg'],
    ['/srv/a:b', '/srv/a:b'],
    ['~/pg', '/here/~/pg'],
  ])('%j is a directory', (text, directory) =>
    expect(parseSource(text, '/here')).toEqual({ kind: 'directory', directory }),
  )

  it.each([
    ['db1:/srv/pg', 'db1', '/srv/pg'],
    ['me@db1:pg', 'me@db1', 'pg'],
    ['db1:', 'db1', ''],
    ['db1:~/a b', 'db1', '~/a b'],
    ['db1:a:b', 'db1', 'a:b'],
    ['me@[fe80::1]:/srv', 'me@fe80::1', '/srv'],
    ['[::1]:x', '::1', 'x'],
    ['db1:a\nb', 'db1', 'a\nb'],
  ])('%j is a directory on a host', (text, host, directory) =>
    expect(parseSource(text, '/here')).toEqual({ kind: 'ssh', host, directory }),
  )

  it.each(['', ':/x', '-oProxyCommand=x:/y', 'me@-x:/y', 'me@:/y', 'a b:/y', 'x\0y'])(
    '%j is none',
    (text) => {
      expect(() => parseSource(text, '/here')).toThrow(PgbkError)
    },
  )

  it('in a configuration file is relative to the file', () => {
    expect(resolveSource('../pg', '/etc/pgbk')).toBe('/etc/pg')
    expect(resolveSource('/srv', '/etc/pgbk')).toBe('/srv')
    expect(resolveSource('db1:pg', '/etc/pgbk')).toBe('db1:pg')
  })
})
