import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { backupLayout } from '../../src/catalog/layout.js'
import { hasAllFiles } from '../../src/snapshot/has-all-files.js'
import { aDirectory } from '../helpers/places.js'

/** Of a manifest. */
const file = (path: string | Buffer, size: number) =>
  `{ ${typeof path === 'string' ? `"Path": "${path}"` : `"Encoded-Path": "${path.toString('hex')}"`}, "Size": ${size}, "Last-Modified": "2026-11-20 03:00:00 GMT" }`

const odd = Buffer.from([0x64, 0xff])

/** A snapshot with a tablespace, a name that is no UTF-8, and what no manifest tells of. */
function aSnapshot() {
  const layout = backupLayout(aDirectory())
  const at = (name: string) => join(layout.snapshot, name)
  const files = ['data/base/1/1', 'data/base/1/2', 'tablespaces/77/PG_17/1', 'data/PG_VERSION']
  for (const name of [
    ...files,
    'README',
    'conf/postgresql.conf',
    'data/pg_wal/0',
    'data/postgresql.auto.conf',
  ]) {
    mkdirSync(dirname(at(name)), { recursive: true })
    writeFileSync(at(name), 'text')
  }
  writeFileSync(Buffer.concat([Buffer.from(`${layout.data}/`), odd]), '')
  mkdirSync(at('data/pg_tblspc'))
  symlinkSync('../../tablespaces/77', at('data/pg_tblspc/77'))
  const named = ['base/1/1', 'base/1/2', 'pg_tblspc/77/PG_17/1', 'PG_VERSION'].map((name) => file(name, 4))
  const list = [...named, file(odd, 0), file('postgresql.auto.conf', 88)].join(',\n')
  const ranges = '{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }'
  writeFileSync(
    at('data/backup_manifest'),
    `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n${list}\n],\n"WAL-Ranges": [\n${ranges}\n],\n"Manifest-Checksum": "${'0'.repeat(64)}"}\n`,
  )
  return { layout, at }
}

/** A file becomes a link to the same bytes elsewhere. */
function replace(path: string): void {
  const elsewhere = join(aDirectory(), 'file')
  writeFileSync(elsewhere, 'text')
  rmSync(path)
  symlinkSync(elsewhere, path)
}

function relink(path: string): void {
  rmSync(path)
  symlinkSync('../../tablespaces/../tablespaces/77', path)
}

describe('a snapshot', () => {
  it('is known to have all files of its manifest, in tablespaces and with odd names too', async () =>
    expect(await hasAllFiles(aSnapshot().layout)).toBe(true))

  it.each<[string, (at: (name: string) => string) => void]>([
    ['a file that is missing', (at) => rmSync(at('data/base/1/2'))],
    ['a file of another size', (at) => truncateSync(at('data/base/1/2'), 3)],
    ['one that is missing in a tablespace', (at) => rmSync(at('tablespaces/77/PG_17/1'))],
    ['a link in the place of a file', (at) => replace(at('data/base/1/2'))],
    ['a tablespace whose link is another', (at) => relink(at('data/pg_tblspc/77'))],
    ['a file too many', (at) => writeFileSync(at('data/base/1/3'), '')],
    ['a link too many', (at) => symlinkSync('/etc/passwd', at('data/base/1/3'))],
    ['a file instead of another', (at) => renameSync(at('data/base/1/2'), at('data/base/1/3'))],
  ])('with %s is not', async (_, change) => {
    const { layout, at } = aSnapshot()
    change(at)
    expect(await hasAllFiles(layout)).toBe(false)
  })
})
