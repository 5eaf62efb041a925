import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { readHold } from '../../src/catalog/hold.js'
import { readLastCreate } from '../../src/catalog/last-create.js'
import { readProof } from '../../src/catalog/proof.js'
import { parseRecord, summarize } from '../../src/catalog/record.js'
import { PgbkError } from '../../src/errors.js'
import { readReceiverState } from '../../src/wal-archive/receiver-state.js'
import { walPool } from '../../src/wal-archive/wal-pool.js'
import { quickWindow } from '../../src/wal-coverage/window.js'
import { randomNumbers, seed } from '../helpers/chance.js'
import { anEmptyRoot, aProof, aRecord, thrownBy } from './samples.js'

/** What a field may be made, in place of what it should be. */
const values: unknown[] = [
  null,
  true,
  '',
  'x',
  '\u001b[31m\u202e\n',
  'x'.repeat(100_000),
  0,
  -1,
  0.5,
  1e300,
  Number.MAX_SAFE_INTEGER,
  2 ** 53,
  '9'.repeat(400),
  [],
  {},
  [[[[]]]],
  'FFFFFFFF/FFFFFFFF',
  '0/0',
  '9999-12-31T23:59:59Z',
  '2026-02-30T00:00:00Z',
  '-000001-01-01T00:00:00Z',
  '../../../etc/passwd',
]

type Path = (string | number)[]

/** The paths of all values in a value. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, one]) => pathsIn(one, [...path, key]))]
}

function changed(base: object, path: Path, value: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(base))
  if (path.length === 0) return value
  let at = copy
  for (const key of path.slice(0, -1)) at = at[key]
  at[path.at(-1) as string] = value
  return copy
}

/** The record, or undefined where it is refused; any other error fails the test. */
function recordIn(json: string) {
  try {
    return parseRecord(json)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    throw error
  }
}

describe('a record of which one value is another', () => {
  const base = { ...aRecord(), own_files: { README: 'x' }, config_files: [{ path: '/a', copy: 'a' }] }
  it.each(values.map((value) => [JSON.stringify(value).slice(0, 40), value]))(
    '%s, is refused or harmless',
    (_, value) => {
      for (const path of pathsIn(base)) {
        const json = JSON.stringify(changed(base, path, value))
        const record = recordIn(json)
        if (record === undefined) continue
        expect(record.config_files.every(({ copy }) => !copy.includes('..'))).toBe(true)
        const root = anEmptyRoot()
        const backup = { summary: summarize(json).summary, directory: root.root }
        const pool = walPool({ root: root.root, backups: [], rejected: [] })
        // Comes to its end, whatever the record says.
        quickWindow(backup as Parameters<typeof quickWindow>[0], pool)
      }
    },
  )
})

describe('a record', () => {
  const refused = async (changes: object) => {
    const error = await thrownBy(() => summarize(JSON.stringify({ ...aRecord(), ...changes })))
    return [error.code, error.message]
  }
  it.each([
    ['an end before its start', { stop_lsn: '0/3000027' }],
    ['an end far beyond what it has bytes for', { stop_lsn: '1/3000100' }],
    ['an end without any bound', { stop_lsn: 'FFFFFFFF/FFFFFFFF', size_bytes: Number.MAX_SAFE_INTEGER }],
    ['an end that is no LSN', { stop_lsn: '0/1000000000' }],
    ['segments of 0 bytes', { wal_segment_size: 0 }],
    ['segments of one byte', { wal_segment_size: 1 }],
    ['segments of 3 MB', { wal_segment_size: 3 << 20 }],
    ['segments of 2 GB', { wal_segment_size: 2 ** 31 }],
    ['timeline 0', { timeline: 0 }],
    ['a timeline beyond all', { timeline: 2 ** 32 }],
    ['a day that is none', { finished_at: '2026-02-30T00:00:00Z' }],
    ['a year that is none', { started_at: '0026-02-20T00:00:00Z' }],
    ['a label without end', { label: 'x'.repeat(10_001) }],
  ])('with %s is refused', async (_, changes) =>
    expect(await refused(changes)).toEqual(['damaged', expect.stringMatching(/^the record is unreadable: /)]),
  )

  it('that is nested without end is refused, and so is one that is no JSON, without a word of what is in it', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const nested = JSON.stringify(aRecord()).replace('"on-demand"', `"on-demand","extra":${deep}`)
    expect((await thrownBy(() => summarize(nested))).message).toMatch(/nested/)
    const error = await thrownBy(() => summarize('root:$6$secret:19000:0:99999:7:::'))
    expect(error.message).toBe('the record is unreadable: it is not JSON')
  })
})

describe(`bytes in the place of a note (seed ${seed})`, () => {
  const texts = () => [
    JSON.stringify(aProof()),
    JSON.stringify({ format: 1, since: 'x', reason: null }),
    JSON.stringify(aRecord()),
    '\0'.repeat(100),
    '['.repeat(60_000),
    'null',
    '"x"',
    '{"__proto__": {"ok": true}}',
    'x'.repeat(1 << 20),
  ]
  it('never end what reads them', () => {
    const root = anEmptyRoot()
    const directory = root.backup('20261120T030000Z')
    mkdirSync(directory)
    for (const [index, text] of texts().entries()) {
      for (const at of randomNumbers(20, text.length, `note ${index}`)) {
        const bytes = Buffer.from(text)
        bytes[at] = (at * 7) & 0xff
        for (const name of ['proof.json', 'hold.json', 'backup.json'])
          writeFileSync(join(directory, name), bytes)
        writeFileSync(root.lastCreate, bytes)
        writeFileSync(root.receiverState, bytes)
        readProof(join(directory, 'proof.json'), '20261120T030000Z')
        readReceiverState(root)
        readLastCreate(root)
        expect(readHold(join(directory, 'hold.json'))).toBeDefined()
        const { backups, rejected } = readCatalog(root.root)
        expect(backups.length + rejected.length).toBe(1)
      }
    }
  })
})

describe('a proof', () => {
  const proofOf = (changes: object) => {
    const root = anEmptyRoot()
    const file = join(root.backups, 'proof.json')
    writeFileSync(file, JSON.stringify({ ...aProof(), ...changes }))
    return readProof(file, '20261120T030000Z')
  }
  it('of this backup counts', () => expect(proofOf({})).toMatchObject({ ok: true }))
  it.each([
    ['of another backup', { backup: '20261120T030001Z' }],
    ['made in two days', { finished_at: new Date(Date.now() + 2 * 86_400_000).toISOString() }],
    ['made at no time', { finished_at: '9999-99-99T00:00:00Z' }],
  ])('%s does not', (_, changes) => expect(proofOf(changes)).toBe('unreadable'))
})
