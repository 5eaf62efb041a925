import { expect, it } from '@jest/globals'
import { chooseElsewhere, namingOlder, olderOf } from '../../src/borrowing/choose-elsewhere.js'
import { type StoredBackup, storedBackup } from '../../src/catalog/backup.js'
import { PgbkError } from '../../src/errors.js'
import { aContext, aRecord, readFrom } from '../catalog/samples.js'

const packed = { bytes: 1, sha256: '0'.repeat(64), snapshot_bytes: 1, uid: 1, gid: 1 }
const backups = ['22', '21', '20'].map((day) => {
  const started_at = `2026-11-${day}T03:00:00.000Z`
  const record = aRecord({
    format: 2,
    packed,
    id: `202611${day}T030000Z`,
    started_at,
    finished_at: started_at,
  })
  return storedBackup(readFrom(record), 'whole')
})
const [newest, second, oldest] = backups as [StoredBackup, StoredBackup, StoredBackup]
const point = { kind: 'time', time: '2026-11-23T00:00:00.000Z' } as const
const catalog = (all = backups) => ({ root: 's3://b', backups: all, rejected: [] })

it('the newest from which a moment may be reached is taken whose record has no faults', () => {
  const where = { name: 's3://b', context: aContext() }
  expect(chooseElsewhere(catalog(), undefined, point, where)).toBe(newest)
  const { server: _gone, ...faulty } = newest.raw as ReturnType<typeof aRecord>
  const all = [{ ...newest, raw: faulty }, second, oldest]
  expect(chooseElsewhere(catalog(all), undefined, point, where)).toBe(second)
})

it('an older one is named where the one that was taken does not lead there, and only then', () => {
  expect([newest, second, oldest].map((one) => olderOf(catalog(), one, point)?.id)).toEqual([
    second.id,
    oldest.id,
    undefined,
  ])
  const facts = { kind: 'target-unreachable' } as const
  const error = new PgbkError('usage', 'it cannot be taken there', { hint: 'Nothing was written.', facts })
  expect(namingOlder(error, second.id)).toMatchObject({
    code: 'usage',
    hint: `Nothing was written.\nOr try an older backup, by its id: ${second.id}`,
  })
  const other = new PgbkError('usage', 'a setting')
  expect(namingOlder(other, second.id)).toBe(other)
})
