import { Readable } from 'node:stream'
import { expect, it } from '@jest/globals'
import { Header } from 'tar'
import type { FileWriter } from '../../../src/place/contract/file-writer.js'
import { receiveTar } from '../../../src/place/ssh/receive-tar.js'
import type { BytePath } from '../../../src/system/paths/byte-path.js'
import { thrownBy } from '../../catalog/samples.js'

function entryOf(path: string, bytes: Buffer, type: 'File' | 'Link' | 'ExtendedHeader' = 'File'): Buffer {
  const block = Buffer.alloc(512)
  new Header({
    path,
    mode: 0o600,
    size: bytes.length,
    mtime: new Date(0),
    type,
    ...(type === 'Link' && { linkpath: 'b' }),
  }).encode(block)
  return Buffer.concat([block, bytes, Buffer.alloc(-bytes.length & 511)])
}

const ending = Buffer.alloc(1024)
const zeros = Buffer.alloc(64 << 10)

/** More than anybody waits for: what is read to its end makes the test fail, and not hang. */
const [endless, most] = [200, 150]

async function received(pieces: Iterable<Buffer>) {
  const files: Record<string, number> = {}
  const writer: FileWriter = {
    names: new Set(),
    begin: (name) => {
      let size = 0
      return {
        write: (bytes) => {
          size += bytes.length
        },
        finish: () => {
          files[name] = size
        },
        abandon: () => {},
      }
    },
    copy: async () => {},
    flushed: async () => {},
  }
  let read = 0
  const counted = (function* () {
    for (const piece of pieces) {
      read++
      yield piece
    }
  })()
  const work = () => receiveTar(Readable.from(counted), ['a', 'b'] as BytePath[], writer, 'db1:')
  return { error: await thrownBy(work).catch(() => undefined), files, pieces: read }
}

function* repeated(first: Buffer[], piece: Buffer): Generator<Buffer> {
  yield* first
  for (let n = 0; n < endless; n++) yield piece
}

it('brings the files, with the padding that programs put behind the end', async () => {
  const big = Buffer.alloc(6 << 20, 'x')
  const { error, files } = await received([
    entryOf('./a', big),
    entryOf('b', Buffer.from('b')),
    ending,
    zeros,
  ])
  expect(error).toBeUndefined()
  expect(files).toEqual({ a: 6 << 20, b: 1 })
})

it.each([
  ['zeros', [], zeros],
  ['zeros behind a file', [entryOf('a', Buffer.from('a')), ending], zeros],
  ['something behind its end', [entryOf('a', Buffer.from('a')), ending], Buffer.alloc(64 << 10, 'x')],
  ['headers of nothing', [], entryOf('x', Buffer.alloc(60_000, '7 a=b\n'), 'ExtendedHeader')],
])('is not read for ever where it has %s', async (_what, first, piece) => {
  const { error, pieces } = await received(repeated(first, piece))
  expect(error).toMatchObject({ code: 'damaged', message: 'db1: sent a tar without an end' })
  expect(pieces).toBeLessThan(most)
})

it.each(['File', 'Link'] as const)('is refused where a name comes again, as a %s', async (type) => {
  const { error, pieces } = await received(
    repeated([], entryOf('a', type === 'File' ? zeros : Buffer.alloc(0), type)),
  )
  expect(error).toMatchObject({ code: 'damaged', message: 'db1: sent "a" twice' })
  expect(pieces).toBeLessThan(most)
})
