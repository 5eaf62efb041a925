import { expect, it } from '@jest/globals'
import { parseConfig } from '../../src/config/schema.js'
import { keysOf } from '../../src/place/store/keys.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { uploadOne } from '../../src/upload/upload-one.js'
import { anEmptyRoot } from '../catalog/samples.js'
import { aDirectoryStore, aPackedBackup, context } from './sending.js'

it('is not done where the store tells of a record that it does not have', async () => {
  const root = anEmptyRoot()
  const { backup } = aPackedBackup('20261120T030000Z', root)
  const { objects, openFor } = aDirectoryStore()
  const key = keysOf.backup(backup.id).record
  const lying: ObjectStore = {
    ...objects,
    stat: async (asked) => (asked === key ? { key, bytes: 1, changedAt: new Date() } : objects.stat(asked)),
  }
  const settings = {
    ...(parseConfig({}).value as NonNullable<ReturnType<typeof parseConfig>['value']>),
    root: root.root,
  }
  const [upload] = await uploadOne(backup, [openFor([], lying)], {
    root,
    task: { settings, context },
    newCluster: true,
  })
  expect(upload).toMatchObject({
    wasThere: false,
    error: { code: 'failed', message: expect.stringContaining('is no longer there') },
  })
})
