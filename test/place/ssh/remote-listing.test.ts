import { expect, it } from '@jest/globals'
import { parseRemoteCatalog } from '../../../src/place/ssh/remote-catalog.js'
import { parseRemoteListing } from '../../../src/place/ssh/remote-listing.js'
import { thrownBy } from '../../catalog/samples.js'

const token = 'abcdef'
const heard = new AbortController().signal
const listing = (output: string | Buffer, signal = heard) =>
  parseRemoteListing(Buffer.from(output as string), token, 'db1:', signal)

it('is what stands behind each separator', async () => {
  const output = `hello\n${token}\n.\0./wal\0${token}\n./wal/a b\0./README\0${token}\n${token}\n`
  expect(await listing(output)).toEqual({ directories: ['wal'], files: ['wal/a b', 'README'], links: [] })
})

it.each([
  ['ends early', `${token}\n./a\0${token}\n`, 'failed', 'ended early'],
  ['has no end of separators', `${token}\n`.repeat(100_000), 'failed', 'ended early'],
  [
    'has more names than any backup',
    `${token}\n${'a\0'.repeat(5_100_000)}${token}\n`,
    'damaged',
    'lists more than',
  ],
])('is refused where it %s', async (_what, output, code, message) => {
  expect(await thrownBy(() => listing(output))).toMatchObject({
    code,
    message: expect.stringContaining(message),
  })
})

it('hears a signal while it is read', async () => {
  const stop = new AbortController()
  const reading = listing(`${token}\n${'a\0'.repeat(1_000_000)}${token}\n`, stop.signal)
  stop.abort(new RangeError('stopped'))
  await expect(reading).rejects.toThrow('stopped')
})

it('is refused as a list of backups that does not end', async () => {
  const output = Buffer.from(`\n${token} bare x`.repeat(1_000_000))
  expect(await thrownBy(() => parseRemoteCatalog(output, token, 'db1:'))).toMatchObject({
    code: 'damaged',
    message: 'db1: lists more than 50000 entries in data/backup',
  })
})
