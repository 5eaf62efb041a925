import { expect, it } from '@jest/globals'
import { PgbkError } from '../../../src/errors.js'
import { compressionOf } from '../../../src/place/tar-archive/compression.js'

it.each([
  ['b.tar', 'none'],
  ['/x.gz/b.TAR', 'none'],
  ['b.tar.gz', 'gzip'],
  ['b.tgz', 'gzip'],
  ['b.tar.zst', 'zstd'],
  ['b.tzst', 'zstd'],
])('%s is compressed by %s', (name, compression) => expect(compressionOf(name)).toBe(compression))

it.each(['b', 'b.gz', 'b.zip', 'b.tar.xz', 'tar'])('%s says nothing', (name) =>
  expect(() => compressionOf(name)).toThrow(PgbkError),
)
