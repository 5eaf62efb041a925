import { describe, expect, it } from '@jest/globals'
import { recordOf, storedBackup } from '../../../src/catalog/backup.js'
import { checkCluster } from '../../../src/catalog/check-cluster.js'
import {
  clearRecordOf,
  differenceOf,
  type EncryptedFacts,
} from '../../../src/catalog/entries/clear-record.js'
import { summarize } from '../../../src/catalog/record.js'
import { alice } from '../../encryption/samples.js'
import { aDatabase, aRecord, aStandby, thrownBy } from '../samples.js'

const file = { bytes: 7_000_000, sha256: 'f'.repeat(64) }
const encrypted: EncryptedFacts = {
  recipients: [alice.recipient],
  image_bytes: 6_990_000,
  snapshot_bytes: 30_000_000,
  files: { 'snapshot.squashfs.age': file, 'README.age': { ...file, bytes: 10 } },
}
const packed = { bytes: 6_990_000, sha256: '0'.repeat(64), snapshot_bytes: 30_000_000, uid: 1, gid: 1 }

/** Whatever a person or a server has named is called `secret`. */
const full = aRecord({
  format: 2,
  packed,
  label: 'secret label',
  copied_at: '2026-11-20T03:00:10.000Z',
  standby: aStandby,
  superuser: 'secret role',
  databases: [aDatabase('secret_db')],
  preload_libraries: ['secret_library'],
  skipped: ['base/secret'],
  server: {
    ...aRecord().server,
    host: 'secret.example',
    cluster_name: 'secret cluster',
    version_string: 'secret build',
  },
  tablespaces: [{ oid: 16385, name: 'secret', location: '/mnt/secret', size_bytes: 8192 }],
})
const clear = clearRecordOf(full, encrypted)
const read = (changes: object = {}) =>
  storedBackup(summarize(JSON.stringify({ ...clear, ...changes })), 'whole')

describe('the clear record of an encrypted backup', () => {
  it('names no more files and recipients than a backup can have: each of them is asked for', () => {
    const files = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`file${index}`, file]))
    const recipients = Array.from({ length: 601 }, () => alice.recipient)
    expect(() => read({ encrypted: { ...encrypted, files } })).toThrow('names too many files')
    expect(() => read({ encrypted: { ...encrypted, recipients } })).toThrow('names too many recipients')
  })

  it('has no name and no text of anybody, nor what the image is', () => {
    expect(JSON.stringify(clear)).not.toMatch(/secret|0{64}|5432/)
    expect(Object.keys(clear.server)).toEqual(['version', 'system_identifier'])
  })

  it('tells what a list shows and retention judges by, and what it takes where it lies', () => {
    const { form, storedBytes, logicalBytes, summary } = read()
    expect({ form, storedBytes, logicalBytes }).toEqual({
      form: 'encrypted',
      storedBytes: 40_000_000 - 30_000_000 + 7_000_010,
      logicalBytes: 40_000_000,
    })
    expect(summary).toMatchObject({ label: null, copied_at: full.copied_at, standby: aStandby, encrypted })
  })

  it('is told from a whole record by who needs that, with the identities that would do', async () => {
    expect(await thrownBy(() => recordOf(read()))).toMatchObject({
      code: 'config',
      message: `backup ${full.id} is encrypted: only a list of it can be read where it lies`,
      hint: expect.stringContaining('the identity of age1zvkyg2lqzraa.'),
    })
  })

  it('says whose cluster it is of', async () => {
    const catalog = { root: '/r', backups: [read()], rejected: [] }
    const facts = { version: '15.18', host: 'db1', port: 5432 }
    checkCluster(catalog, 'this server', { ...facts, system_identifier: full.server.system_identifier })
    const error = await thrownBy(() =>
      checkCluster(catalog, 'this server', { ...facts, system_identifier: '7' }),
    )
    expect(error).toMatchObject({ code: 'wrong-cluster' })
  })

  it.each([
    ['no recipient', { encrypted: { ...encrypted, recipients: [] } }, 'names no recipient'],
    [
      'a key in place of a recipient',
      { encrypted: { ...encrypted, recipients: ['ssh-rsa'] } },
      'is not a recipient',
    ],
    ['a file elsewhere', { encrypted: { ...encrypted, files: { '../x': file } } }, 'not the name of a file'],
    ['positions of no backup', { start_lsn: full.stop_lsn }, 'cannot be those of a backup'],
    ['no server', { server: {} }, 'server.version'],
  ])('with %s is damaged', async (_what, changes, message) => {
    const error = await thrownBy(() => read(changes))
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining(message) })
  })

  it('may have fields of later versions', () => expect(read({ region: 'x' }).form).toBe('encrypted'))

  it('is compared with the whole one, field by field', () => {
    expect(differenceOf(clear, full)).toBeUndefined()
    expect(differenceOf({ ...clear, stop_lsn: '0/4000000' }, full)).toBe('stop_lsn')
    const { standby: _gone, ...less } = clear
    expect(differenceOf(less, full)).toBe('standby')
  })

  it.each(['image_bytes', 'snapshot_bytes'])(
    'is not believed to have other %s than the whole one',
    (field) => {
      const other = { ...clear, encrypted: { ...encrypted, [field]: Number.MAX_SAFE_INTEGER } }
      expect(differenceOf(other, full)).toBe(`encrypted.${field}`)
    },
  )
})
