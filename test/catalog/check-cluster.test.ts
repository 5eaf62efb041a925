import { chmodSync, chownSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { checkCluster } from '../../src/catalog/check-cluster.js'
import { isOfCluster, newestOnly } from '../../src/wal-receiver/find-backup.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'
import { aBackup, anEmptyRoot, aRecord, asOrdinaryUser, thrownBy } from './samples.js'

const [good, bad] = ['20261120T030000Z', '20261121T030000Z']
const { system_identifier: own } = aRecord().server
const facts = (system_identifier: string) => ({
  system_identifier,
  version: '15.18',
  host: 'db1',
  port: 5432,
})

/** Faults that the summary of a record has not. */
const broken: [string, object][] = [
  ['a database without a name', { databases: [{}] }],
  ['a server without an identifier', { server: { version: '15.1' } }],
]

it.each(broken)('a root belongs to the cluster of the newest usable record: %s', async (_what, changes) => {
  const root = anEmptyRoot()
  aBackup(root, good)
  aBackup(root, bad, changes)
  for (const catalog of [readCatalog(root.root), newestOnly(root)]) {
    checkCluster(catalog, 'this server', facts(own))
    const other = await thrownBy(() => checkCluster(catalog, 'this server', facts('7')))
    expect(other).toMatchObject({ code: 'wrong-cluster' })
  }
  expect(
    readCatalog(root.root)
      .backups.filter(isOfCluster(own))
      .map(({ id }) => id),
  ).toEqual([good])
})

it.each(broken)('where no record can be used no server will do: %s', async (_what, changes) => {
  const root = anEmptyRoot()
  aBackup(root, bad, changes)
  for (const catalog of [readCatalog(root.root), newestOnly(root)])
    expect(await thrownBy(() => checkCluster(catalog, 'this server', facts(own)))).toMatchObject({
      code: 'damaged',
    })
})

it.each(['snapshot/data', 'hold.json', 'backup.json'])(
  'a closed %s makes no other server acceptable',
  async (file) => {
    const root = anEmptyRoot()
    const { directory, hold } = aBackup(root, bad)
    writeFileSync(hold, '{}')
    chmodSync(`${directory}/${file}`, 0)
    if (isRoot)
      for (const name of ['', ...readdirSync(directory, { recursive: true, encoding: 'utf8' })])
        chownSync(`${directory}/${name}`, ordinaryUser.uid, ordinaryUser.gid)
    await asOrdinaryUser(async () => {
      for (const catalogOf of [() => readCatalog(root.root), () => newestOnly(root)]) {
        const check = (identifier: string) => checkCluster(catalogOf(), 'it', facts(identifier))
        const { code } = await thrownBy(() => check('7'))
        expect(code).toBe(file === 'backup.json' ? 'failed' : 'wrong-cluster')
        expect(file === 'backup.json' || check(own) === undefined).toBe(true)
      }
    })
    chmodSync(`${directory}/${file}`, 0o700)
  },
)
