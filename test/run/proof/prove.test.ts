import { existsSync, renameSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import type { LocalBackup } from '../../../src/catalog/backup.js'
import { readCatalog } from '../../../src/catalog/catalog.js'
import type { Settings } from '../../../src/config/load.js'
import { prove } from '../../../src/run/proof/prove.js'
import { aBackup, aContext, anEmptyRoot, thrownBy } from '../../catalog/samples.js'

it('writes no proof into a backup that is being removed', async () => {
  const root = anEmptyRoot()
  const { record, marker, proof } = aBackup(root, '20261120T030000Z')
  const catalog = readCatalog(root.root)
  const [backup] = catalog.backups as [LocalBackup]
  renameSync(record, marker)
  const work = () =>
    prove(backup, catalog, ['data/x: it is missing'], { settings: {} as Settings, context: aContext() })
  expect(await thrownBy(work)).toMatchObject({ code: 'not-found' })
  expect(existsSync(proof)).toBe(false)
})
