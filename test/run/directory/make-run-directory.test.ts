import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import type { LocalBackup } from '../../../src/catalog/backup.js'
import { readCatalog } from '../../../src/catalog/catalog.js'
import { removeSocketDirectory } from '../../../src/postgres/local/sockets.js'
import { sweepRuns } from '../../../src/run/directory/end-run.js'
import { makeRunDirectory } from '../../../src/run/directory/make-run-directory.js'
import { aBackup, aContext, anEmptyRoot } from '../../catalog/samples.js'

it('a run does not get the name of one that others may still be removing', () => {
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  const [backup] = readCatalog(root.root).backups as [LocalBackup]
  const names = Array.from({ length: 5 }, () => {
    const { name, layout, sockets } = makeRunDirectory(backup, root.root, aContext())
    rmSync(layout.directory, { recursive: true })
    removeSocketDirectory(sockets)
    return name
  })
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^20261120T030000Z-\d{5}$/)
})

it('one that was killed before it had its marker is removed by the next, and one that is just being made is not', async () => {
  const { root, runs } = anEmptyRoot()
  const { pid, uid, gid } = { pid: process.pid, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  for (const owner of [2 ** 22 + 1, pid]) {
    const draft = join(runs, `.20261120T030000Z-12345.${owner}.new`)
    mkdirSync(draft, { recursive: true })
    writeFileSync(join(draft, '.pgbk-.pgbk-run.json.1-00.new'), '{')
  }
  mkdirSync(join(runs, '.of somebody else.new'))
  await sweepRuns(root, aContext({ user: () => ({ uid, gid, name: 'me', home: '/' }) }))
  expect(readdirSync(runs).sort()).toEqual([`.20261120T030000Z-12345.${pid}.new`, '.of somebody else.new'])
})
