import { Readable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { imageErrandIn, wantedImageIn, wantedLine } from '../../src/remote-image/image-errand.js'
import { alice } from '../encryption/samples.js'

const errand = {
  place: 'offsite',
  stores: { offsite: { url: 's3://bucket/db1', part_size: 64 << 20 } },
  note: '/tmp/note',
  cache: { directory: '/tmp/blocks', limit: 1000 },
  lasts: false,
}

describe('what a process is told that serves an image', () => {
  it('is what was said, with the stores of the configuration', () => {
    expect(imageErrandIn(JSON.stringify(errand))).toMatchObject(errand)
  })

  it.each(['{}', 'nothing', JSON.stringify({ ...errand, note: 10 })])(
    'is refused when no pgbk has said it: %s',
    (said) => expect(() => imageErrandIn(said)).toThrow('--served is for pgbk itself'),
  )

  it('is which image, too, and what to decrypt it with, by its input', async () => {
    const wanted = { id: '20261120T030000Z', bytes: 10, sha256: '00', record: '/tmp/record' }
    const inClear = await wantedImageIn(Readable.from([wantedLine(wanted)]))
    expect(inClear).toEqual(wanted)
    const encrypted = { ...wanted, identities: [alice] }
    expect(await wantedImageIn(Readable.from([wantedLine(encrypted)]))).toEqual(encrypted)
    await expect(wantedImageIn(Readable.from(['{}\n']))).rejects.toThrow('--served is for pgbk itself')
  })

  it('is none where nobody has said one', async () => {
    expect(await wantedImageIn(Readable.from([]))).toBeUndefined()
  })
})
