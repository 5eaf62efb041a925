import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { storedBackup } from '../../src/catalog/backup.js'
import { majorOf, parseRecord, readRecord, summarize } from '../../src/catalog/record.js'
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

const packedFacts = { bytes: 1, sha256: '0'.repeat(64), snapshot_bytes: 10, uid: 1, gid: 1 }

describe('the record of a packed backup', () => {
  it('has a format of its own, and tells what it takes where it lies and what it holds', () => {
    const record = aRecord({ format: 2, packed: packedFacts, size_bytes: 100 })
    const { form, storedBytes, logicalBytes } = storedBackup(summarize(JSON.stringify(record)), 'whole')
    expect({ form, storedBytes, logicalBytes }).toEqual({
      form: 'packed',
      storedBytes: 91,
      logicalBytes: 100,
    })
  })

  it.each([
    ['the plain format', { format: 1, packed: packedFacts }],
    ['no image', { format: 2 }],
  ])('is refused with %s', async (_what, changes) => {
    const error = await thrownBy(() => summarize(JSON.stringify({ ...aRecord(), ...changes })))
    expect(error.message).toContain('its format and the entry packed contradict each other')
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
      message: 'the record has format 7, but this pgbk reads formats up to 3',
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
    ['packed.sha256', { format: 2, packed: { ...packedFacts, sha256: 'x' } }],
    ['superuser', { superuser: undefined }],
  ])('names %s when it has a wrong type', async (path, changes) => {
    const error = await parsing({ ...aRecord(), ...changes })
    expect(error).toMatchObject({ code: 'damaged' })
    expect(error.message).toMatch(new RegExp(`^the record is unreadable: ${path}: `))
  })

  it.each([[null], [[]], ['a text'], [5], [{}]])('may be no record at all: %j', async (value) => {
    expect(await parsing(value)).toMatchObject({ code: 'damaged' })
  })

  it('names only the first of many faults', async () => {
    expect((await parsing({ format: 1 })).message).toMatch(/^the record is unreadable: id: [^;]*$/)
  })
})
