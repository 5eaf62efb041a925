import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { PgbkError } from '../../../src/errors.js'
import { type ManifestFile, manifestFile, usualFile } from '../../../src/snapshot/manifest/manifest-file.js'
import { type ManifestEnd, ManifestParser } from '../../../src/snapshot/manifest/manifest-parser.js'
import { bytePath } from '../../../src/system/paths/byte-path.js'
import { isPlainName } from '../../../src/system/paths/inside.js'
import { aBackupOf, fileIn } from '../../helpers/backup.js'
import { randomNumbers, seed } from '../../helpers/chance.js'
import { oldestAndNewest, run } from '../../helpers/programs.js'
import { aServer } from '../../helpers/server.js'

interface Read {
  files: ManifestFile[]
  end: ManifestEnd
}

/** Reads a manifest in pieces of this size. */
function read(bytes: Buffer, piece = bytes.length || 1): Read {
  const parser = new ManifestParser('backup_manifest')
  const files: ManifestFile[] = []
  for (let at = 0; at < bytes.length; at += piece) files.push(...parser.take(bytes.subarray(at, at + piece)))
  return { files, end: parser.end() }
}

const line = (path: string, size = '8192') =>
  `{ "Path": "${path}", "Size": ${size}, "Last-Modified": "2026-11-20 03:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "a5bcd3ef" }`

function aManifest(
  lines: string[],
  { version = 1, ranges = ['{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }'] } = {},
): string {
  const identifier = version === 2 ? '"System-Identifier": 7574880158414284817,\n' : ''
  const list = (items: string[]) => (items.length > 0 ? `\n${items.join(',\n')}\n` : '\n')
  const text = `{ "PostgreSQL-Backup-Manifest-Version": ${version},\n${identifier}"Files": [${list(lines)}],\n"WAL-Ranges": [${list(ranges)}],\n`
  return `${text}"Manifest-Checksum": "${createHash('sha256').update(text).digest('hex')}"}\n`
}

/** A line as it is read, and as it is read by the way for those that are not usual. */
const quickly = (text: string) => usualFile(text) ?? thoroughly(text)
const thoroughly = (text: string) => manifestFile(Buffer.from(text, 'latin1'))

const good = aManifest([line('backup_label'), line('base/1/1247')], { version: 2 })

/** What is refused, and never another kind of error. */
function refusal(bytes: Buffer | string): string | undefined {
  try {
    read(Buffer.from(bytes))
    return undefined
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return error.message
    throw error
  }
}

describe.each(oldestAndNewest)('a manifest of PostgreSQL %i', (major) => {
  it('is read to its end, with every file that is there', async () => {
    const server = await aServer({ major })
    const space = join(server.directory, 'space')
    await run(['mkdir', space])
    await server.sql(`create tablespace one location '${space}'`)
    await server.sql('create table inside tablespace one as select generate_series(1, 100) as n')
    for (const name of [
      `'odd "name" \\'`,
      'tab\tand\nnewline',
      'ünï',
      Buffer.from([0x66, 0xff]).toString('latin1'),
    ])
      await run(['sh', '-c', 'printf x > "$1"', 'sh', join(server.data, name)])
    const backup = await aBackupOf(server)
    const text = fileIn(backup, 'data/backup_manifest')
    const { files, end } = read(Buffer.from(text), 1000)
    expect(files).toHaveLength(JSON.parse(text).Files.length)
    expect(end.isWhole).toBe(true)
    const lines = text.split('\n').filter((one) => one.startsWith('{ "Path') || one.startsWith('{ "Enc'))
    expect(lines.map(quickly)).toEqual(lines.map(thoroughly))
    expect(lines.filter((one) => usualFile(one) !== undefined).length).toBeGreaterThan(lines.length - 10)
    expect(end.ranges).toEqual([
      { timeline: backup.record.timeline, startLsn: backup.record.start_lsn, endLsn: backup.record.stop_lsn },
    ])
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['tab\tand\nnewline', `'odd "name" \\'`, bytePath('ünï')]),
    )
  })
})

describe('a manifest', () => {
  it.each([1, 2])('of version %i is whole, in pieces of any size', (version) => {
    const bytes = Buffer.from(aManifest([line('a'), line('b')], { version }))
    for (const piece of [1, 7, 64, bytes.length]) {
      const { files, end } = read(bytes, piece)
      expect([files.map(({ path }) => path), end.isWhole]).toEqual([['a', 'b'], true])
    }
  })

  it('may have no files, and no ranges', () => {
    const { files, end } = read(Buffer.from(aManifest([], { ranges: [] })))
    expect([files, end.ranges, end.isWhole]).toEqual([[], [], true])
  })

  it('whose checksum is another is not whole', () =>
    expect(read(Buffer.from(good.replace('8192', '8193'))).end.isWhole).toBe(false))

  it('is refused where it ends early, at any byte', () => {
    for (let length = 0; length < good.length; length++)
      expect(refusal(good.slice(0, length))).toMatch(/is not understood: line \d+/)
  })

  it.each([
    '..',
    '../x',
    'a/../../x',
    '/etc/passwd',
    'a//b',
    './a',
    'a/.',
    'a/',
    '',
    'pg_tblspc/16385/../../../x',
    'pg_tblspc/16385//x',
    'a\\u0000b',
  ])('with the path %j is refused', (path) => expect(refusal(aManifest([line(path)]))).toMatch(/line 3 /))

  it('with an encoded path that leads out is refused', () => {
    const encoded = (hex: string) => aManifest([line('x').replace('"Path": "x"', `"Encoded-Path": "${hex}"`)])
    expect(refusal(encoded(Buffer.from('../ÿ', 'latin1').toString('hex')))).toMatch(/leads out/)
    expect(refusal(encoded('612fff00'))).toMatch(/leads out/)
    expect(refusal(encoded('61F'))).toMatch(/hexadecimal/)
    expect(refusal(encoded('61ff'))).toBeUndefined()
  })

  it('with a backslash in a name is that of a file on Linux', () =>
    expect(read(Buffer.from(aManifest([line('a\\\\..\\\\b')]))).files[0]?.path).toBe('a\\..\\b'))

  it.each([
    ['a file a second time', aManifest([line('a'), line('b'), line('a')])],
    [
      'a file a second time, encoded',
      aManifest([line('a'), line('a').replace('"Path": "a"', '"Encoded-Path": "61"')]),
    ],
    ['another key', aManifest([line('a').replace(' }', ', "Mode": "0600" }')])],
    ['keys in another order', aManifest([line('a').replace(/("Path": "a"), ("Size": 8192)/, '$2, $1')])],
    ['a key twice', aManifest([line('a').replace('"Size"', '"Path": "b", "Size"')])],
    ['two files on a line', aManifest([`${line('a')}, ${line('b')}`])],
    ['a line that begins with a space and a return', aManifest([` \r${line('a')}`])],
    ['a line that ends with a return', aManifest([`${line('a')}\r`])],
    ['an empty line', aManifest([line('a'), '', line('b')])],
    ['a size that is no whole number', aManifest([line('a', '1e3')])],
    ['a negative size', aManifest([line('a', '-1')])],
    ['a size beyond all files', aManifest([line('a', '9007199254740993')])],
    ['a checksum of another kind', aManifest([line('a').replace('CRC32C', 'MD5')])],
    ['a checksum that is too short', aManifest([line('a').replace('a5bcd3ef', 'a5bc')])],
    [
      'a name that is no UTF-8',
      Buffer.concat([
        Buffer.from('{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n{ "Path": "'),
        Buffer.from([0xff]),
        Buffer.from('", "Size": 1, "Last-Modified": "2026-11-20 03:00:00 GMT" }\n'),
      ]),
    ],
    ['a comma behind the last file', good.replace(/\}\n\],\n"WAL/, '},\n],\n"WAL')],
    ['no comma between files', good.replace('},\n', '}\n')],
    ['something behind the end', `${good}\n`],
    ['another version', good.replace('Version": 2', 'Version": 3')],
    ['a line without end', '{'.repeat(1 << 20)],
    ['a line of a name without end', aManifest([line('x'.repeat(1 << 20))])],
  ])('with %s is refused', (_, bytes) => expect(refusal(bytes)).toMatch(/is not understood: line \d+/))

  it('of many files has each of them, and finds one that comes again', () => {
    const parser = new ManifestParser('m')
    parser.take(Buffer.from('{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n'))
    let count = 0
    for (let block = 0; block < 200; block++) {
      const lines = Array.from(
        { length: 1000 },
        (_, index) => `${line(`base/16384/${block * 1000 + index}`)},\n`,
      )
      count += parser.take(Buffer.from(lines.join(''))).length
    }
    expect(count).toBe(200_000)
    expect(() => parser.take(Buffer.from(`${line('base/16384/77777')},\n`))).toThrow(/a second time/)
  })
})

/** Pieces that mean something to some reader of JSON, lines or paths. */
const pieces = [
  '\r',
  '\n',
  ' ',
  '\u2028',
  '\u2029',
  '"',
  '\\',
  '\\u002e\\u002e/',
  '../',
  '/',
  '{',
  '}',
  '[',
  ']',
  ',',
  ': ',
  '\0',
  '\x1f',
  '{ "Path": "../../x", "Size": 1 },',
  '"Files": [',
  '],',
  'é',
  '1e9',
]

describe(`mutations of a manifest (seed ${seed})`, () => {
  const base = Buffer.from(
    aManifest(
      [line('backup_label'), line('base/1/ünï'), line('odd \\"x\\"'), line('pg_tblspc/16385/PG_15/1/2')],
      { version: 2 },
    ),
  )
  const mutated = (index: number): Buffer => {
    const [at = 0, other = 0, kind = 0, which = 0] = randomNumbers(4, 1 << 30, `manifest ${index}`)
    const from = at % base.length
    const to = Math.min(base.length, from + 1 + (other % 60))
    const piece = Buffer.from(pieces[which % pieces.length] ?? '')
    if (kind % 4 === 0) return Buffer.concat([base.subarray(0, from), piece, base.subarray(from)])
    if (kind % 4 === 1) return Buffer.concat([base.subarray(0, from), piece, base.subarray(to)])
    if (kind % 4 === 2) return Buffer.concat([base.subarray(0, to), base.subarray(from)])
    const changed = Buffer.from(base)
    changed[from] = other & 0xff
    return changed
  }

  it('are refused, or read in one way, as JSON too, and lead nowhere else', () => {
    for (let index = 0; index < 4000; index++) {
      const bytes = mutated(index)
      if (refusal(bytes) !== undefined) continue
      const { files } = read(bytes)
      expect([3, 50].map((piece) => read(bytes, piece).files)).toEqual([files, files])
      for (const { path } of files) expect(isPlainName(path)).toBe(true)
      const json = JSON.parse(bytes.toString()) as { Files: { Path: string; Size: number }[] }
      expect(files.map(({ path, size }) => [path, size])).toEqual(
        json.Files.map(({ Path, Size }) => [bytePath(Path), Size]),
      )
    }
  })
})

describe('a line of a file', () => {
  it('is read the same in both ways, whatever is in it', () => {
    const base = line('base/1/1247')
    const marks = '"\\/.,:{} \x00\x7f\xe9\n09azGMT-'
    const places = randomNumbers(5000, base.length, 'places')
    const kinds = randomNumbers(5000, marks.length, 'marks')
    for (const [index, at] of places.entries()) {
      const changed = base.slice(0, at) + marks[kinds[index] ?? 0] + base.slice(at + (index % 3))
      expect([changed, quickly(changed)]).toEqual([changed, thoroughly(changed)])
    }
  })
})

describe('a manifest of very many files', () => {
  it('is read in little memory', () => {
    const script = `
      const { ManifestParser } = await import(process.argv[1])
      const parser = new ManifestParser('x')
      let [seen, lines] = [0, '{ "PostgreSQL-Backup-Manifest-Version": 1,\\n"Files": [\\n']
      for (let file = 0; file < 400000; file++) {
        lines += '{ "Path": "base/5/' + file + '", "Size": 8192, "Last-Modified": "2026-11-20 03:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "a5bcd3ef" },\\n'
        if (file % 1000 !== 999) continue
        for (const one of parser.take(Buffer.from(lines))) seen += one.size === 8192 ? 1 : 0
        lines = ''
      }
      process.stdout.write(String(seen))`
    const module = fileURLToPath(
      new URL('../../../dist/snapshot/manifest/manifest-parser.js', import.meta.url),
    )
    const args = ['--max-old-space-size=32', '--input-type=module', '-e', script, module]
    expect(execaSync(process.execPath, args).stdout).toBe('400000')
  })
})
