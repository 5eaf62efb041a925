import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../../src/errors.js'
import { archiveNames, checkListing } from '../../../src/place/contract/listing.js'
import { nameInBackup } from '../../../src/place/contract/names.js'
import { nameList } from '../../../src/place/ssh/tar-list.js'
import { type BytePath, bytePath } from '../../../src/system/paths/byte-path.js'
import { isPlainName } from '../../../src/system/paths/inside.js'

const bytes = (...names: string[]) => names.map((name) => bytePath(name))

describe('a name', () => {
  it.each(['', '/etc', 'a/../b', 'a\0b', 'x'.repeat(5000), '..', 'a//b', './a', 'a/.', 'a/'])(
    '%j leads elsewhere',
    (name) => expect(isPlainName(name)).toBe(false),
  )
  it.each(['a', 'a\\b', 'a/b', '..a/b..', ' '])('%j is plain', (name) => expect(isPlainName(name)).toBe(true))

  it('of the manifest is found without going through a link', () => {
    expect(nameInBackup(bytePath('base/1/1'), new Set(['16385']))).toBe('snapshot/data/base/1/1')
    expect(nameInBackup(bytePath('pg_tblspc/16385/PG/1'), new Set(['16385']))).toBe(
      'snapshot/tablespaces/16385/PG/1',
    )
    expect(nameInBackup(bytePath('pg_tblspc/16386/PG/1'), new Set(['16385']))).toBe(
      'snapshot/data/pg_tblspc/16386/PG/1',
    )
  })
})

describe('a list', () => {
  it('is without the record, the proof that was made there, markers and locks', () => {
    const files = bytes('backup.json', 'proof.json', '.pgbk-download.json', 'wal/.receive.lock', 'wal/x')
    const listing = checkListing({ directories: [], files, links: [] }, 'db1:/srv')
    expect(listing.files).toEqual(['wal/x'])
  })

  it('may have the links of tablespaces that are there, and no others', () => {
    const directories = bytes('snapshot/tablespaces/16385')
    const link = (name: string) => checkListing({ directories, files: [], links: bytes(name) }, 'x')
    expect(link('snapshot/data/pg_tblspc/16385').links).toHaveLength(1)
    for (const name of ['snapshot/data/pg_tblspc/16386', 'snapshot/data/base', 'wal'])
      expect(() => link(name)).toThrow(PgbkError)
  })

  it.each(['wal', 'snapshot', 'snapshot/data'])('has no file in place of the directory %s', (name) =>
    expect(() => checkListing({ directories: [], files: bytes(name), links: [] }, 'x')).toThrow(
      `in the backup in x, ${name} is not a directory`,
    ),
  )

  it('may have names that are no UTF-8, and none outside', () => {
    const list = (file: BytePath) => checkListing({ directories: [], files: [file], links: [] }, 'x').files
    const odd = bytePath(Buffer.from([0x61, 0xff]))
    expect(list(odd)).toEqual([odd])
    expect(() => list(bytePath('../x'))).toThrow(PgbkError)
  })

  it('for tar has no line breaks in names', () => {
    expect(nameList(bytes('a b', 'ü')).toString()).toBe('a b\nü\n')
    expect(() => nameList(bytes('a\nb'))).toThrow(PgbkError)
  })

  it('for an archive has the WAL first, and the record last', () => {
    const listing = { directories: bytes('wal'), files: bytes('snapshot/a', 'wal/b'), links: bytes('l') }
    expect(archiveNames('X', listing)).toEqual(
      ['', '/wal', '/wal/b', '/snapshot/a', '/l', '/backup.json'].map((name) => `data/backup/X${name}`),
    )
  })
})
