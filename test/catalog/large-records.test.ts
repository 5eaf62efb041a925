import { describe, expect, it } from '@jest/globals'
import { KeptRecords } from '../../src/catalog/kept-records.js'
import { parseRecord, summarize } from '../../src/catalog/record.js'
import { mostBytes } from '../../src/system/files/read-small.js'
import { aDatabase, aRecord, thrownBy } from './samples.js'

const stem = JSON.stringify({ ...aRecord(), databases: undefined }).slice(0, -1)

/** A record as it was written, with something hostile at its end. */
const recordWith = (more: string) => `${stem},${more}}`

describe('a record', () => {
  it('may be that of a server with 10,000 databases, each with nine extensions', () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `customer_${n}`)
    const extensions = names.flatMap((database) =>
      Array.from({ length: 9 }, (_, n) => ({ name: `e${n}`, version: '1.0', database })),
    )
    const text = JSON.stringify(aRecord({ databases: names.map(aDatabase), extensions }), undefined, 2)
    expect(text.length).toBeLessThan(mostBytes.record)
    expect(parseRecord(text).databases.length).toBe(10_000)
  })

  it.each([
    ['five million objects', recordWith(`"x":[${'{},'.repeat(4_999_999)}{}]`), 'more than 500000 values'],
    ['a list without an end', recordWith(`"x":${'['.repeat(8_000_000)}`), 'nested more than 32 times'],
  ])('is refused with %s, before anything is made of it', async (_what, text, reason) => {
    const before = process.memoryUsage().heapUsed
    const error = await thrownBy(() => summarize(text))
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining(reason) })
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 << 20)
  })

  it('with as many faults as values is refused for the first', async () => {
    const text = recordWith(`"databases":[${'{},'.repeat(400_000)}{}]`)
    const before = process.memoryUsage().heapUsed
    const error = await thrownBy(() => parseRecord(text))
    expect(error.message).toMatch(/^the record is unreadable: databases\.0\.name: [^;]*$/)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200 << 20)
  })

  it('is not repeated in what is wrong with it', async () => {
    const error = await thrownBy(() =>
      parseRecord(JSON.stringify({ ...aRecord(), kind: 'x'.repeat(100_000) })),
    )
    expect(error.message.length).toBeLessThan(400)
  })
})

describe('the records of a catalogue', () => {
  const read = (changes = {}) => {
    const json = JSON.stringify(aRecord(changes))
    return [summarize(json), json] as const
  }

  it('are kept whole as long as there is memory for them, and then as a list shows them', () => {
    const kept = new KeptRecords(15_000)
    const [first, second, third] = [kept.keep(...read()), kept.keep(...read()), kept.keep(...read())]
    expect([first.isPart, second.isPart, third.isPart]).toEqual([undefined, undefined, true])
    expect(third.raw).toEqual(third.summary)
    expect(third.raw).not.toHaveProperty('databases')
  })

  it('are refused where even that is too much', async () => {
    const shared = { with: Array.from({ length: 1000 }, () => '20261120T030000Z'), bytes: 1 }
    expect(await thrownBy(() => new KeptRecords(0).keep(...read({ shared })))).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('too large to be kept'),
    })
  })
})
