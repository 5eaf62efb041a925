import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { Parser, type ReadEntry } from 'tar'
import { putTree } from '../../../src/create/stream/put-tree.js'
import { sortTar } from '../../../src/create/stream/sort-tar.js'
import { readTarHeader, writeTarHeader } from '../../../src/create/stream/tar-header.js'
import type { BytePath } from '../../../src/system/paths/byte-path.js'
import { aDirectory } from '../../helpers/places.js'

const name = (text: string) => text as BytePath
const end = Buffer.alloc(1024)

/** A file as a tar has it. */
function member(path: string, content: string): Buffer {
  const header = { name: name(path), kind: 'file', size: content.length, changedAt: 1_700_000_000 } as const
  const padded = Buffer.alloc(Math.ceil(content.length / 512) * 512)
  padded.write(content, 'latin1')
  return Buffer.concat([writeTarHeader(header), padded])
}

const directory = (path: string) =>
  writeTarHeader({ name: name(path), kind: 'directory', size: 0, changedAt: 1_700_000_000 })

/** Headers as they should not be; the sum is right. */
function changed(header: Buffer, at: number, text: string): Buffer {
  const odd = Buffer.from(header)
  odd.write(text, at, 'latin1')
  odd.fill(' ', 148, 156)
  const sum = odd.reduce((total, byte) => total + byte, 0)
  odd.write(sum.toString(8).padStart(7, '0'), 148, 'latin1')
  odd[155] = 0
  return odd
}

/** What a tar has: the names of its members, with what is in them. */
function contentsOf(tar: Buffer): Record<string, string> {
  const found: Record<string, string> = {}
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry: ReadEntry) => {
      found[entry.path] = ''
      entry.on('data', (bytes) => {
        found[entry.path] += bytes.toString('latin1')
      })
    },
  })
  parser.end(tar)
  return found
}

const long = 'x'.repeat(700)
const tar = Buffer.concat([
  member('backup_label', 'START'),
  directory('./pg_wal'),
  directory('base'),
  directory('base/5'),
  member('base/5/1259', long),
  member('base/5/PG_VERSION', '17\n'),
  member('base/5/2600', ''),
  member('mine.conf', 'a = 1'),
  member('empty.conf', ''),
  member('pg_wal/000000010000000000000003', long),
  member('backup_manifest', '{}'),
  end,
])

it.each([1, 511, 512, 513, 100_000])(
  'sorts a tar that comes in pieces of %i bytes into what is kept aside and what goes on',
  (length) => {
    const data = aDirectory('pgbk-sort-')
    const sorter = sortTar(data, name('data'), () => new Date(0))
    const passed: Buffer[] = []
    for (let at = 0; at < tar.length; at += length)
      passed.push(...sorter.take(tar.subarray(at, at + length)).map((piece) => Buffer.from(piece)))
    expect(sorter.end()).toEqual({ bytes: 700, files: 2, walCameAt: new Date(0) })
    expect(contentsOf(Buffer.concat([...passed, end]))).toEqual({
      'data/base/5/1259': long,
      'data/base/5/2600': '',
    })
    expect(readFileSync(join(data, 'pg_wal/000000010000000000000003'), 'latin1')).toBe(long)
    expect(readFileSync(join(data, 'empty.conf'), 'latin1')).toBe('')
    expect(readdirSync(data, { recursive: true }).sort()).toEqual(
      [
        ...['backup_label', 'backup_manifest', 'base', 'base/5', 'base/5/PG_VERSION', 'empty.conf'],
        ...['mine.conf', 'pg_wal', 'pg_wal/000000010000000000000003'],
      ].sort(),
    )
    expect(lstatSync(join(data, 'base')).mode & 0o777).toBe(0o700)
  },
)

it.each([
  ['leads out of the data directory', member('base/../../evil', ''), /is not the name of a file inside/],
  ['is absolute', member('/etc/evil', ''), /is not the name of a file inside/],
  [
    'is a symbolic link',
    changed(member('pg_tblspc/1', ''), 156, '2'),
    /sent pg_tblspc\/1 as a symbolic link/,
  ],
  ['is a hard link', changed(member('base/1', ''), 156, '1'), /sent base\/1 as a hard link/],
  ['is a device', changed(member('base/1', ''), 156, '3'), /sent base\/1 as a member of type "3"/],
  ['has a broken header', Buffer.alloc(512, 'a'), /broken tar/],
])('takes nothing of a tar in which something %s', (_what, bytes, message) => {
  const data = aDirectory('pgbk-sort-')
  const sorter = sortTar(data, name('data'), () => new Date(0))
  expect(() => sorter.take(bytes)).toThrow(message)
  expect(readdirSync(data)).toEqual([])
  expect(existsSync(join(data, '../evil'))).toBe(false)
})

it('does not write a file a second time', () => {
  const sorter = sortTar(aDirectory('pgbk-sort-'), name('data'), () => new Date(0))
  sorter.take(member('backup_label', 'a'))
  expect(() => sorter.take(member('backup_label', 'b'))).toThrow(/EEXIST/)
})

it('tells of a tar that breaks off', () => {
  const sorter = sortTar(aDirectory('pgbk-sort-'), name('data'), () => new Date(0))
  sorter.take(tar.subarray(0, -1024))
  expect(() => sorter.end()).toThrow(/has no end/)
})

it('knows sizes that octal digits cannot say, and names of any bytes and length', () => {
  const size = 3 * 8 ** 11 + 5
  const odd = name(`base/5/${'\xff'.repeat(80)}`)
  const one = { name: odd, kind: 'file', size, changedAt: 1 } as const
  expect(readTarHeader(writeTarHeader(one))).toEqual(one)
  const path = `conf/${'y'.repeat(200)}`
  expect(contentsOf(Buffer.concat([member(path, 'z'), end]))).toEqual({ [path]: 'z' })
})

it('puts a tree into a tar, with its empty directories', async () => {
  const top = aDirectory('pgbk-sort-')
  const sorter = sortTar(top, name('data'), () => new Date(0))
  sorter.take(tar)
  const pieces: Uint8Array[] = []
  await putTree(top, async (bytes) => void pieces.push(Buffer.from(bytes)), new AbortController().signal)
  const contents = contentsOf(Buffer.concat(pieces))
  expect(contents).toMatchObject({ backup_label: 'START', 'mine.conf': 'a = 1', 'empty.conf': '' })
  expect(Object.keys(contents)).toHaveLength(9)
})
