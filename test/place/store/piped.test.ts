import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { storedBackup } from '../../../src/catalog/backup.js'
import { summarize } from '../../../src/catalog/record.js'
import { PgbkError } from '../../../src/errors.js'
import type { Place } from '../../../src/place/contract/place.js'
import { piped } from '../../../src/place/store/piped.js'
import { archiveToFile } from '../../../src/place/tar-archive/write-archive.js'
import { aContext, aRecord, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const gone = new PgbkError('unreachable', 'the store hung up')

async function all(bytes: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of bytes) pieces.push(piece)
  return String(Buffer.concat(pieces))
}

/** Longer than anybody waits for what nobody waits for: an error without a reader would end this process by then. */
const aTick = () => new Promise((resolve) => setImmediate(resolve))

it('brings all that is written, however slowly it is read', async () => {
  const piece = Buffer.alloc(700_000, 'x')
  const text = await piped(
    async (write) => {
      for (let n = 0; n < 5; n++) await write(piece)
    },
    async (bytes) => {
      await aTick()
      return all(bytes)
    },
  )
  expect(text.length).toBe(3_500_000)
})

it.each([
  ['before the first write', 0],
  ['after one', 1],
  ['while a write waits', 3 << 20],
])('throws what the writer throws %s, and nothing else', async (_when, bytes) => {
  const produce = async (write: (bytes: Buffer) => Promise<void>) => {
    if (bytes > 0) await write(Buffer.alloc(bytes))
    throw gone
  }
  expect(await thrownBy(() => piped(produce, all))).toBe(gone)
  await aTick()
})

it('ends the writer where its reader fails', async () => {
  let ended: unknown
  const endless = async (write: (bytes: Buffer) => Promise<void>) => {
    try {
      for (;;) await write(Buffer.alloc(1 << 20))
    } catch (error) {
      ended = error
      throw error
    }
  }
  const fails = () => Promise.reject(gone)
  expect(await thrownBy(() => piped(endless, fails))).toBe(gone)
  expect(ended).toMatchObject({ message: 'nobody reads any more' })
})

it('leaves nothing of an archive whose source fails', async () => {
  const directory = aDirectory()
  const source = {
    directory: undefined,
    readRecord: async () => Buffer.from('{}'),
    archive: (_backup, _listing, take) => piped(() => Promise.reject(gone), take).then(() => ''),
  } as Partial<Place> as Place
  const backup = storedBackup(summarize(JSON.stringify(aRecord())), 'whole')
  const listing = { directories: [], files: [], links: [] }
  for (const compression of ['none', 'gzip'] as const) {
    const job = { source, backup, listing, compression }
    const target = { file: join(directory, 'a.tar'), replace: false }
    expect(await thrownBy(() => archiveToFile(job, target, aContext()))).toMatchObject({
      code: 'unreachable',
      message: 'the store hung up',
    })
  }
  expect(readdirSync(directory)).toEqual([])
})
