import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from '@jest/globals'
import { leastAtATime, unstalled } from '../../../src/place/contract/unstalled.js'
import { thrownBy } from '../../catalog/samples.js'

const late = () => new Error('late')

async function* coming(count: number, bytes: number, everyMs: number): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < count; sent++) {
    await sleep(everyMs)
    yield Buffer.alloc(bytes)
  }
}

async function taken(pieces: AsyncIterable<Buffer>, ms: number, eachMs = 0): Promise<number> {
  let bytes = 0
  for await (const piece of unstalled(pieces, ms, late)) {
    bytes += piece.length
    if (eachMs > 0) await sleep(eachMs)
  }
  return bytes
}

it('what comes byte by byte for as long as it likes is given up', async () => {
  expect(await thrownBy(() => taken(coming(1e9, 1, 5), 200))).toMatchObject({ message: 'late' })
})

it('what comes steadily is not, however long it takes, nor what its reader is slow with', async () => {
  expect(await taken(coming(20, leastAtATime, 30), 300)).toBe(20 * leastAtATime)
  expect(await taken(coming(5, 1, 1), 300, 100)).toBe(5)
})
