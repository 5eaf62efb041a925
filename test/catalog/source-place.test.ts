import { describe, expect, it } from '@jest/globals'
import { localPath, parseSource, resolveSource } from '../../src/catalog/source-place.js'
import { PgbkError } from '../../src/errors.js'
import { thrownBy } from './samples.js'

const stores = { offsite: { url: 's3://bucket/db1' }, nas: { url: '/mnt/nas' } }

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
    expect(parseSource(text, '/here', stores)).toEqual({ kind: 'directory', directory }),
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
    expect(parseSource(text, '/here', stores)).toEqual({ kind: 'ssh', host, directory }),
  )

  it.each([
    ['s3://bucket', 'bucket', ''],
    ['S3://my.bucket-1/', 'my.bucket-1', ''],
    ['s3://bucket/a/b c/', 'bucket', 'a/b c/'],
    ['offsite', 'bucket', 'db1/'],
  ])('%j is in a bucket', (text, bucket, prefix) =>
    expect(parseSource(text, '/here', stores)).toEqual({ kind: 's3', bucket, prefix }),
  )

  it.each([
    's3://',
    's3:///x',
    's3://b',
    's3://key:secret@bucket/x',
    's3://bucket/a//b',
    's3://bucket/../x',
    's3://bu ket',
  ])('%j is no bucket, and not said again', async (text) => {
    const { code, message, hint } = await thrownBy(() => parseSource(text, '/here', stores))
    expect([code, `${message}${hint}`.includes('secret')]).toEqual(['usage', false])
  })

  it('is a store by its name, before a directory of that name, and stays that where it is written down', () => {
    expect(parseSource('nas', '/here', stores)).toEqual({ kind: 'directory', directory: '/mnt/nas' })
    expect(parseSource('./nas', '/here', stores)).toEqual({ kind: 'directory', directory: '/here/nas' })
    expect(parseSource('toString', '/here', stores)).toMatchObject({ kind: 'directory' })
    expect(resolveSource('nas', '/here', stores)).toBe('nas')
    expect(resolveSource('s3://bucket/x', '/here', stores)).toBe('s3://bucket/x')
  })

  it.each(['', ':/x', '-oProxyCommand=x:/y', 'me@-x:/y', 'me@:/y', 'a b:/y', 'x\0y'])(
    '%j is none',
    (text) => {
      expect(() => parseSource(text, '/here', stores)).toThrow(PgbkError)
    },
  )

  it.each(['sftp://me@db1/srv', 'file:///srv', 'ssh://db1/srv', 'git+ssh://x', 'db1://srv'])(
    '%j is none, and no host named so',
    async (text) => {
      expect(await thrownBy(() => parseSource(text, '/here', stores))).toMatchObject({
        code: 'usage',
        message: expect.stringContaining('is not supported'),
        hint: 'Write s3://BUCKET[/PREFIX], DIR, or [USER@]HOST:DIR as in scp.',
      })
      expect(await thrownBy(() => localPath(text, '/here'))).toMatchObject({ code: 'usage' })
    },
  )

  it('in a configuration file is relative to the file', () => {
    expect(resolveSource('../pg', '/etc/pgbk', stores)).toBe('/etc/pg')
    expect(resolveSource('/srv', '/etc/pgbk', stores)).toBe('/srv')
    expect(resolveSource('db1:pg', '/etc/pgbk', stores)).toBe('db1:pg')
  })
})
