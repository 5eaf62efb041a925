import { describe, expect, it } from '@jest/globals'
import { storedBackup } from '../../src/catalog/backup.js'
import type { BackupRecord } from '../../src/catalog/record.js'
import { chooseCompression, wantedCompression } from '../../src/wal-receiver/choose-compression.js'
import { aRecord, readFrom } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const here = { env: { PATH: process.env.PATH } }
const newer = aBackup({ wal_forms: ['raw', 'gzip', 'zstd'] })
const older = aBackup({})
function aBackup(changes: Partial<BackupRecord>) {
  return storedBackup(readFrom(aRecord(changes)), 'whole')
}

it.each([
  ['gzip', { by: 'gzip', level: 1 }],
  ['gzip:6', { by: 'gzip', level: 6 }],
  ['zstd', { by: 'zstd', level: 1 }],
  ['zstd:9', { by: 'zstd', level: 9 }],
  ['none', undefined],
])('wal.compress %s is %j', (text, wanted) => expect(wantedCompression(text)).toEqual(wanted))

describe('segments', () => {
  const wanted = { by: 'zstd', level: 3 } as const

  it('are compressed with zstd where all snapshots read that', () => {
    expect(chooseCompression(wanted, [newer], here)).toEqual({
      compression: { form: 'zstd', pack: 'zstd -q -c -3', unpack: 'zstd -dc' },
    })
  })

  it('are compressed with gzip where the configuration of one snapshot is of an earlier pgbk', () => {
    const { compression, reason } = chooseCompression(wanted, [newer, older], here)
    expect([compression.pack, reason]).toEqual(['gzip -c -1', expect.stringContaining(older.id)])
    expect(chooseCompression({ by: 'gzip', level: 4 }, [older], here)).toEqual({
      compression: { form: 'gzip', pack: 'gzip -c -4', unpack: 'gzip -dc' },
    })
  })

  it('are compressed with gzip where the program is not there: a server in a sandbox has no Node', () => {
    const { compression, reason } = chooseCompression(wanted, [newer], { env: { PATH: aDirectory() } })
    expect([compression.form, reason]).toEqual(['gzip', 'the program zstd is not installed'])
  })
})
