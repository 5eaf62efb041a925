import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { execa } from 'execa'
import type { LocalBackup } from '../../../src/catalog/backup.js'
import { readCatalog } from '../../../src/catalog/catalog.js'
import { materialise } from '../../../src/forms/materialise.js'
import { removeSocketDirectory } from '../../../src/postgres/local/sockets.js'
import { sweepRuns } from '../../../src/run/directory/end-run.js'
import { makeRunDirectory } from '../../../src/run/directory/make-run-directory.js'
import { findRuns } from '../../../src/run/directory/run-directory.js'
import { aBackup, aContext, anEmptyRoot } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

it('a run does not get the name of one that others may still be removing', async () => {
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  const [listed] = readCatalog(root.root).backups as [LocalBackup]
  const backup = await materialise(listed, aContext())
  const names = Array.from({ length: 5 }, () => {
    const { name, layout, sockets } = makeRunDirectory(backup, root.root, aContext())
    rmSync(layout.directory, { recursive: true })
    removeSocketDirectory(sockets)
    return name
  })
  // Two may be the same by chance.
  expect(new Set(names).size).toBeGreaterThan(3)
  for (const name of names) expect(name).toMatch(/^20261120T030000Z-\d{5}$/)
})

it('one in the cache, where its root is read-only, is found in its own root alone, also that of a packed backup', async () => {
  const [own, other] = [anEmptyRoot(), anEmptyRoot()]
  aBackup(own, '20261120T030000Z')
  const [listed] = readCatalog(own.root).backups as [LocalBackup]
  const plain = await materialise(listed, aContext())
  const image = { file: join(plain.directory, 'snapshot.squashfs'), uid: 0, gid: 0 }
  const context = aContext({ env: { XDG_CACHE_HOME: aDirectory() } })
  // Nothing can be made there, also by root.
  writeFileSync(own.runs, '')
  for (const backup of [plain, { ...plain, image }]) {
    const { name, layout, sockets } = makeRunDirectory(backup, own.root, context)
    const found = [own, other].map(({ root }) => findRuns(root, context).map((run) => run.name))
    expect(found).toEqual([[name], []])
    rmSync(layout.directory, { recursive: true })
    removeSocketDirectory(sockets)
  }
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

it('one that was killed when it had just made the directory of its socket is swept with that', async () => {
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  const module = fileURLToPath(new URL('../../../dist/run/directory/make-run-directory.js', import.meta.url))
  const code = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    for (const name of ['mkdirSync', 'mkdtempSync']) {
      const make = fs[name]
      fs[name] = (path, ...rest) => {
        const made = make(path, ...rest) ?? path
        if (path.startsWith('/tmp/pgbk-') && !path.startsWith(process.argv[2])) {
          fs.writeSync(1, made)
          process.kill(process.pid, 'SIGKILL')
        }
        return made
      }
    }
    syncBuiltinESMExports()
    const [module, root] = process.argv.slice(1)
    const { makeRunDirectory } = await import(module)
    const backup = { id: '20261120T030000Z', directory: root }
    const context = { env: { HOME: '/' }, user: () => ({ home: '/' }), now: () => new Date() }
    makeRunDirectory(backup, root, context)`
  const args = ['--input-type=module', '--eval', code, module, root.root]
  const { stdout: sockets, signal } = await execa(process.execPath, args, { reject: false })
  expect({ signal, sockets, isThere: existsSync(sockets) }).toMatchObject({
    signal: 'SIGKILL',
    isThere: true,
  })
  const { uid, gid } = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  await sweepRuns(root.root, aContext({ user: () => ({ uid, gid, name: 'me', home: '/' }) }))
  expect([existsSync(sockets), readdirSync(root.runs)]).toEqual([false, []])
})
