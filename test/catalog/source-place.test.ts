import { describe, expect, it } from '@jest/globals'
import { localPath, parseSource, resolveSource } from '../../src/catalog/source-place.js'
import { PgbkError } from '../../src/errors.js'
import { thrownBy } from './samples.js'

describe('a source', () => {
  it.each([
    ['/srv/pg', '/srv/pg'],
    ['pg', '/here/pg'],
    ['../pg', '/pg'],
    ['./db1:pg', '/here/db1:pg'],
    ['/srv/a:b', '/srv/a:b'],
    ['./s3://x', '/here/s3:/x'],
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

  it.each([
    's3://bucket/x',
    'S3://bucket',
    'sftp://me@db1/srv',
    'file:///srv',
    'ssh://db1/srv',
    'git+ssh://x',
    'db1://srv',
  ])('%j is none, and no host named so', async (text) => {
    expect(await thrownBy(() => parseSource(text, '/here'))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('is not supported'),
      hint: 'Write DIR or [USER@]HOST:DIR, as in scp.',
    })
    expect(await thrownBy(() => localPath(text, '/here'))).toMatchObject({ code: 'usage' })
  })

  it('in a configuration file is relative to the file', () => {
    expect(resolveSource('../pg', '/etc/pgbk')).toBe('/etc/pg')
    expect(resolveSource('/srv', '/etc/pgbk')).toBe('/srv')
    expect(resolveSource('db1:pg', '/etc/pgbk')).toBe('db1:pg')
  })
})
