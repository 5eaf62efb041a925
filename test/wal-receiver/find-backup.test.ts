import { expect, it } from '@jest/globals'
import { clusterOf } from '../../src/catalog/check-cluster.js'
import { backupAfter, newestBackup } from '../../src/wal-receiver/find-backup.js'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'
import { alice } from '../encryption/samples.js'
import { aStoredBackup } from '../upload/stored.js'

const [plain, packed, encrypted] = ['20261118T030000Z', '20261119T030000Z', '20261120T030000Z']

it('WAL comes to the newest backup that is not encrypted, in whichever form it is', () => {
  const layout = anEmptyRoot()
  aBackup(layout, plain)
  aStoredBackup(layout.root, packed)
  aStoredBackup(layout.root, encrypted, { recipients: [alice.recipient] })
  const any = () => true
  expect(newestBackup(layout, any)).toMatchObject({ id: packed, form: 'packed' })
  expect(newestBackup(layout, (one) => clusterOf(one) !== undefined)?.id).toBe(packed)
  expect(backupAfter(layout, plain, any)?.id).toBe(packed)
  expect(backupAfter(layout, packed, any)).toBeUndefined()
})
