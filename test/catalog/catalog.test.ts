import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { rootLayout } from '../../src/catalog/layout.js'
import { ifRoot } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { aBackup, anEmptyRoot, aRecord, asOrdinaryUser, thrownBy } from './samples.js'

const first = '20261120T030000Z'
const second = '20261121T030000Z'
const idsIn = (root: string) => readCatalog(root).backups.map(({ id }) => id)

describe('the catalog', () => {
  it('lists whole backups, newest first', () => {
    const root = anEmptyRoot()
    for (const id of [first, '20261122T030000Z', second]) aBackup(root, id)
    expect(idsIn(root.root)).toEqual(['20261122T030000Z', second, first])
    expect(readCatalog(root.root)).toMatchObject({ rejected: [], root: root.root })
    expect(readCatalog(root.root).backups[0]).toMatchObject({ state: 'whole', summary: { label: null } })
  })

  it('is empty where there is no data/backup yet', () => {
    const root = aDirectory()
    expect(readCatalog(root)).toEqual({ root, backups: [], rejected: [] })
    expect(readCatalog(anEmptyRoot().root).backups).toEqual([])
  })

  it('calls a backup used when a server has renamed its backup_label', () => {
    const root = anEmptyRoot()
    const { data } = aBackup(root, first)
    renameSync(join(data, 'backup_label'), join(data, 'backup_label.old'))
    expect(readCatalog(root.root).backups[0]).toMatchObject({ id: first, state: 'used' })
  })

  it('says nothing of locks and other hidden files', () => {
    const root = anEmptyRoot()
    for (const file of [root.createLock, root.catalogLock]) writeFileSync(file, '')
    expect(readCatalog(root.root)).toMatchObject({ backups: [], rejected: [] })
  })
})

describe('what is no whole backup', () => {
  const rejectedIn = (root: string) => {
    const { backups, rejected } = readCatalog(root)
    if (backups.length > 0) return 'a backup is listed'
    return rejected.map(({ name, reason }) => ({ name, reason }))
  }

  it('is a partial', () => {
    const root = anEmptyRoot()
    mkdirSync(root.partial(first))
    writeFileSync(join(root.partial(first), 'backup.json'), JSON.stringify(aRecord({ id: first })))
    const reason = 'a create that is running or was interrupted'
    expect(rejectedIn(root.root)).toEqual([{ name: `.${first}.partial`, reason }])
  })

  it.each([
    ['no record', (file: string) => rmSync(file), 'it has no record (backup.json)'],
    [
      'the record of another',
      (file: string) => writeFileSync(file, JSON.stringify(aRecord({ id: second }))),
      `its record is that of ${second}`,
    ],
    [
      'a newer record',
      (file: string) => writeFileSync(file, '{"format": 9}'),
      'the record has format 9, but this pgbk reads formats up to 3',
    ],
    [
      'half a record',
      (file: string) => writeFileSync(file, '{"format": 1, "id'),
      expect.stringMatching(/^the record is unreadable: /),
    ],
  ])('is a directory with %s', (_what, damage, reason) => {
    const root = anEmptyRoot()
    damage(aBackup(root, first).record)
    expect(rejectedIn(root.root)).toEqual([{ name: first, reason }])
  })

  it('is what a delete has begun to remove', () => {
    const root = anEmptyRoot()
    const { record, marker } = aBackup(root, first)
    renameSync(record, marker)
    const reason = 'a delete that is running or was interrupted'
    expect(rejectedIn(root.root)).toEqual([{ name: first, reason }])
  })

  it('is a file, or something with another name', () => {
    const root = anEmptyRoot()
    writeFileSync(root.backup(first), 'a file')
    mkdirSync(root.backup('before-upgrade'))
    expect(rejectedIn(root.root)).toEqual([
      { name: first, reason: 'not a directory' },
      { name: 'before-upgrade', reason: 'its name is not a datestamp' },
    ])
  })

  it('does not hide the others', () => {
    const root = anEmptyRoot()
    writeFileSync(aBackup(root, first).record, 'nonsense')
    aBackup(root, second)
    expect(idsIn(root.root)).toEqual([second])
  })
})

describe('what may not be read', () => {
  it.each([
    ['data', (root: string) => rootLayout(root).data],
    ['data/backup', (root: string) => rootLayout(root).backups],
    ['a backup', (root: string) => rootLayout(root).backup(first)],
    ['a record', (root: string) => join(rootLayout(root).backup(first), 'backup.json')],
  ])('is an error, never an empty list: %s', (_what, pathIn) => isAnError(pathIn))

  ifRoot('is an error, never an empty list: a snapshot of somebody else', () =>
    isAnError((root) => join(rootLayout(root).backup(first), 'snapshot')),
  )

  async function isAnError(pathIn: (root: string) => string): Promise<void> {
    const { root } = anEmptyRoot()
    aBackup(rootLayout(root), first)
    const path = pathIn(root)
    chmodSync(path, 0o000)
    const error = await thrownBy(() => asOrdinaryUser(() => readCatalog(root)))
    chmodSync(path, 0o700)
    expect(error).toMatchObject({ code: 'failed', hint: expect.stringContaining('as the user') })
    expect(error.message).toMatch(/^cannot read .*(EACCES|permission denied)/)
  }
})

it('a backup shares its blocks as long as one of those that have them too is there, as a directory', () => {
  const root = anEmptyRoot()
  aBackup(root, '20261119T030000Z')
  const shared = { with: ['20261119T030000Z', '20261118T030000Z'], bytes: 30_000_000 }
  aBackup(root, '20261120T030000Z', { shared })
  aBackup(root, '20261121T030000Z', { shared: { with: ['20261117T030000Z'], bytes: 30_000_000 } })
  const own = () => readCatalog(root.root).backups.map(({ ownBytes }) => ownBytes)
  expect(own()).toEqual([40_000_000, 10_000_000, 40_000_000])
  rmSync(root.backup('20261119T030000Z'), { recursive: true })
  expect(own()).toEqual([40_000_000, 40_000_000])
})
