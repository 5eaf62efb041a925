import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import type { Settings } from '../../src/config/load.js'
import { checkLock, checkPlace } from '../../src/doctor/check-root.js'
import type { ServerFacts } from '../../src/postgres/server/server-facts.js'
import { freeBytes } from '../../src/system/files/measure.js'
import { aBackup, aContext, anEmptyRoot, aRecord } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'

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

needs('program mksquashfs').it('the room that the next backup needs is that of its form', async () => {
  const root = anEmptyRoot()
  const packed = { bytes: 200, sha256: 'a'.repeat(64), snapshot_bytes: 1000, uid: 1, gid: 1 }
  aBackup(root, id, { format: 2, packed })
  const found = { layout: root, catalog: readCatalog(root.root), checks: [] }
  const facts = {
    ...{ ...aRecord().server, role: 'me', wal_segment_size: 1, tablespaces: [] },
    databases: [{ name: 'app', size_bytes: Math.round(3 * (await freeBytes(root.root))) }],
  } as unknown as ServerFacts
  const size = facts.databases[0]?.size_bytes ?? 0
  const lookedAt = async (create: object) => {
    const settings = { create: { form: 'plain', wire: 'none', ...create } } as Settings
    const { checks, neededBytes } = await checkPlace(found, facts, { settings, context: aContext() })
    const disk = checks.filter(({ name }) => name === 'disk').map(({ status }) => status)
    return { disk, share: Math.round((100 * (neededBytes ?? 0)) / size) }
  }
  expect(await lookedAt({})).toEqual({ disk: ['failed'], share: 100 })
  expect(await lookedAt({ form: 'packed' })).toEqual({ disk: ['ok'], share: 20 })
  expect(await lookedAt({ form: 'packed', wire: 'server-zstd' })).toEqual({ disk: ['failed'], share: 20 })
})
