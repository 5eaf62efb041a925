import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { majorOf, parseRecord, readRecord } from '../../src/catalog/record.js'
import { aDirectory } from '../helpers/places.js'
import { aRecord, thrownBy } from './samples.js'

const parsing = (value: unknown) => thrownBy(() => parseRecord(JSON.stringify(value)))

describe('a record', () => {
  it('comes back as it was written', () => {
    expect(parseRecord(JSON.stringify(aRecord(), undefined, 2))).toEqual(aRecord())
  })

  it('may have fields of later versions, which are ignored', () => {
    const later = { ...aRecord(), proof: {}, server: { ...aRecord().server, region: 'x' } }
    expect(parseRecord(JSON.stringify(later))).toEqual(aRecord())
  })

  it('knows the major version of its server', () => expect(majorOf(aRecord())).toBe(15))

  it('is read from its file', () => {
    const file = join(aDirectory(), 'backup.json')
    writeFileSync(file, JSON.stringify(aRecord()))
    expect(readRecord(file).summary.id).toBe('20261120T030000Z')
  })
})

describe('a damaged record', () => {
  it.each([0, 1, 50, 400])('is told from a whole one when it ends after %i bytes', async (length) => {
    const error = await thrownBy(() => parseRecord(JSON.stringify(aRecord()).slice(0, length)))
    expect(error).toMatchObject({ code: 'damaged' })
    expect(error.message).toMatch(/^the record is unreadable: /)
  })

  it('is refused by the number of its format when that is higher', async () => {
    expect(await parsing({ format: 7, all: 'different' })).toMatchObject({
      code: 'damaged',
      message: 'the record has format 7, but this pgbk reads formats up to 1',
      hint: expect.stringContaining('Update pgbk'),
    })
  })

  it.each([
    ['size_bytes', { size_bytes: '40 MB' }],
    ['file_count', { file_count: -1 }],
    ['kind', { kind: 'weekly' }],
    ['id', { id: 20261120 }],
    ['start_lsn', { start_lsn: 'nonsense' }],
    ['started_at', { started_at: 'yesterday' }],
    ['server.port', { server: { ...aRecord().server, port: '5432' } }],
    ['databases.0.name', { databases: [{ ...aRecord().databases[0], name: null }] }],
    ['format', { format: '1' }],
    ['superuser', { superuser: undefined }],
  ])('names %s when it has a wrong type', async (path, changes) => {
    const error = await parsing({ ...aRecord(), ...changes })
    expect(error).toMatchObject({ code: 'damaged' })
    expect(error.message).toMatch(new RegExp(`^the record is unreadable: ${path}: `))
  })

  it.each([[null], [[]], ['a text'], [5], [{}]])('may be no record at all: %j', async (value) => {
    expect(await parsing(value)).toMatchObject({ code: 'damaged' })
  })

  it('names only the first three of many faults', async () => {
    expect((await parsing({ format: 1 })).message.split('; ')).toHaveLength(3)
  })
})
