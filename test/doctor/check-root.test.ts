import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { checkLock } from '../../src/doctor/check-root.js'
import { aBackup, aContext, anEmptyRoot } from '../catalog/samples.js'

const id = '20261120T030000Z'

it('a create and a delete that have ended since the catalogue was read have left nothing', async () => {
  const root = anEmptyRoot()
  const { record, marker, directory } = aBackup(root, id)
  renameSync(record, marker)
  mkdirSync(root.partial('20261121T030000Z'))
  const catalog = readCatalog(root.root)
  const leftOvers = async () =>
    (await checkLock(root, catalog, aContext())).filter(({ name }) => name === 'left-overs')
  expect(await leftOvers()).toMatchObject([{ status: 'warning' }, { status: 'warning' }])
  renameSync(root.partial('20261121T030000Z'), root.backup('20261121T030000Z'))
  rmSync(directory, { recursive: true })
  expect(await leftOvers()).toMatchObject([{ status: 'ok', text: 'none' }])
})
