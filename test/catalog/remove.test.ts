import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import type { RootLayout } from '../../src/catalog/layout.js'
import { findLeftOvers } from '../../src/catalog/partial.js'
import { removeBackup } from '../../src/catalog/remove.js'
import { aBackup, anEmptyRoot, asOrdinaryUser, thrownBy } from './samples.js'

const id = '20261120T030000Z'
const removeFirst = (root: RootLayout) => {
  const [backup] = readCatalog(root.root).backups
  if (!backup) throw new Error('no backup')
  return removeBackup(root, backup)
}

describe('removeBackup', () => {
  it('removes this backup, and no other', async () => {
    const root = anEmptyRoot()
    for (const each of [id, '20261119T030000Z']) aBackup(root, each)
    await removeFirst(root)
    expect(existsSync(root.backup(id))).toBe(false)
    expect(readCatalog(root.root)).toMatchObject({ backups: [{ id: '20261119T030000Z' }], rejected: [] })
  })

  it('takes the record away first, so that what it cannot finish is not listed', async () => {
    const root = anEmptyRoot()
    chmodSync(root.backups, 0o777)
    const { data } = await asOrdinaryUser(() => aBackup(root, id))
    await asOrdinaryUser(() => mkdirSync(join(data, 'base')))
    chmodSync(data, 0o500)
    expect(await thrownBy(() => asOrdinaryUser(() => removeFirst(root)))).toMatchObject({
      code: 'failed',
      message: expect.stringMatching(`^cannot remove ${id}: `),
      hint: expect.stringContaining('the next create removes it'),
    })
    const reason = 'a delete that is running or was interrupted'
    expect(readCatalog(root.root)).toMatchObject({ backups: [], rejected: [{ name: id, reason }] })
    expect(await findLeftOvers(root)).toMatchObject([{ name: id, marker: expect.anything() }])
  })
})
