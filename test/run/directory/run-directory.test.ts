import { rmSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { type Backup, readCatalog } from '../../../src/catalog/catalog.js'
import { removeSocketDirectory } from '../../../src/postgres/local/sockets.js'
import { makeRunDirectory } from '../../../src/run/directory/run-directory.js'
import { aBackup, aContext, anEmptyRoot } from '../../catalog/samples.js'

it('a run does not get the name of one that others may still be removing', () => {
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  const [backup] = readCatalog(root.root).backups as [Backup]
  const names = Array.from({ length: 5 }, () => {
    const { name, layout, sockets } = makeRunDirectory(backup, root.root, aContext())
    rmSync(layout.directory, { recursive: true })
    removeSocketDirectory(sockets)
    return name
  })
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^20261120T030000Z-\d{5}$/)
})
