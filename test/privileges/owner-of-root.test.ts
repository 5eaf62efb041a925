import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { ownerOfRoot, refuseLinks } from '../../src/privileges/owner-of-root.js'
import { thrownBy } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { atEnd } from '../helpers/places.js'

const [alice, bob] = [4711, 4712]

/** Directories below a new one of root's, with their owners and modes. */
function aTree(directories: Record<string, [uid: number, mode?: number]> = {}): string {
  const top = mkdtempSync(join(tmpdir(), 'pgbk-root-'))
  chmodSync(top, 0o755)
  atEnd(() => rmSync(top, { recursive: true, force: true }))
  for (const [name, [uid, mode = 0o755]] of Object.entries(directories)) {
    const path = join(top, name)
    mkdirSync(path)
    chmodSync(path, mode)
    chownSync(path, uid, uid)
  }
  return top
}

const uidOf = (root: string) => ownerOfRoot(root)?.uid

const startedByRoot = () => {
  it('is the owner of the directory itself', () => {
    expect(uidOf(join(aTree({ root: [alice], 'root/data': [bob] }), 'root'))).toBe(alice)
  })

  it.each([
    [{ data: [alice] }, alice],
    [{ data: [0], 'data/backup': [alice] }, alice],
    [{ data: [0], 'data/backup': [0], 'data/backup/20261120T030000Z': [alice] }, alice],
    [{ data: [0], 'data/instances': [alice] }, alice],
    [{ data: [0], 'data/backup': [alice], 'data/instances': [bob] }, undefined],
    [{ data: [0], 'data/backup': [0] }, undefined],
    [{}, undefined],
  ] as [Record<string, [number]>, number | undefined][])('is, of %j, uid %s', (directories, uid) => {
    expect(uidOf(aTree(directories))).toBe(uid)
  })

  it('is nobody where the directory is not there', () => {
    expect(uidOf(join(aTree(), 'no/such'))).toBe(undefined)
  })

  it.each(['data', 'data/backup', 'data/run', 'data/instances', 'data/restores'])(
    'is not looked for behind a link in the place of %s, whosever it is',
    async (name) => {
      const top = aTree({ elsewhere: [0], ...(name === 'data' ? {} : { data: [alice] }) })
      symlinkSync(join(top, 'elsewhere'), join(top, name))
      const { code, message } = await thrownBy(() => {
        ownerOfRoot(top)
        refuseLinks(top)
      })
      expect({ code, message }).toEqual({ code: 'config', message: `${join(top, name)} is a symbolic link` })
    },
  )

  it('is not looked for below a directory of root that everybody can write', async () => {
    const top = aTree({ data: [0, 0o777], 'data/backup': [alice] })
    expect(await thrownBy(() => ownerOfRoot(top))).toMatchObject({ code: 'config' })
  })
}

needs('root').describe('the user whom a root directory belongs to', startedByRoot)

describe('the user whom a root directory belongs to', () => {
  it('is none for the root of all', () => expect(uidOf('/')).toBe(undefined))
})
