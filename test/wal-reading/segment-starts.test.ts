import { renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { recordOf } from '../../src/catalog/backup.js'
import { readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { checkSegmentStarts } from '../../src/wal-reading/segment-starts.js'
import { withWaldumpDirectory } from '../../src/wal-reading/waldump-directory.js'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { mb, twoArchives } from '../wal-archive/archives.js'

const name = '000000010000000000000004'
const first = { first: 1, last: 1 }

/** What is found wrong with a segment, whose file may be in any form. */
async function damageOf(form: 'raw' | 'gzip', harm: (path: string) => void) {
  const { from, backups } = twoArchives(['4'], [])
  const path = join(from, form === 'raw' ? name : `${name}.gz`)
  if (form === 'gzip') {
    writeFileSync(path, gzipSync(Buffer.alloc(mb)))
    rmSync(join(from, name))
  }
  const wal = readArchivedWal(from, recordOf(backups[0]))
  harm(path)
  const options = {
    env: { PATH: process.env.PATH, TMPDIR: aDirectory() },
    signal: AbortSignal.timeout(60_000),
  }
  return {
    from,
    path,
    damage: await withWaldumpDirectory('pg_waldump', wal, options, (waldump) =>
      checkSegmentStarts(waldump, first, '1'),
    ),
  }
}

describe('a segment that is not as it should be', () => {
  it.each([
    ['no WAL', () => {}, 'it does not begin with a page of WAL'],
    [
      'a link',
      (path: string) => {
        renameSync(path, `${path}.old`)
        symlinkSync(`${path}.old`, path)
      },
      'it is a symbolic link, where a file was expected',
    ],
    ['gone', (path: string) => rmSync(path), 'it has gone'],
  ])('is told of in the same words, raw or compressed: %s', async (_what, harm, reason) => {
    for (const form of ['raw', 'gzip'] as const) {
      const { damage, from, path } = await damageOf(form, harm)
      expect(damage).toMatchObject({ index: 1, reason, isReadable: false })
      expect(damage?.error.facts).toEqual({
        segment: name,
        path: from,
        file: basename(path),
        reason,
        isReadable: false,
      })
      expect(damage?.error.message).toBe(`WAL segment ${name} in ${from} ${reason.replace(/^it /, '')}`)
    }
  })

  it.each([
    ['cut off', (path: string) => truncateSync(path, 100), 'it is damaged: unexpected end of file'],
    [
      'too short',
      (path: string) => writeFileSync(path, gzipSync(Buffer.alloc(5))),
      'it has 5 bytes instead of 1048576',
    ],
  ])('is told of without its path when it cannot be unpacked: %s', async (_what, harm, reason) => {
    expect((await damageOf('gzip', harm)).damage?.reason).toBe(reason)
  })

  it('too short has the reason that it has as a raw one, which its size alone shows', () => {
    const root = anEmptyRoot()
    const { wal } = aBackup(root, '20261120T030000Z', { wal_segment_size: mb })
    writeFileSync(join(wal, name), Buffer.alloc(5))
    const found = readArchivedWal(wal, {
      timeline: 1,
      start_lsn: '0/400028',
      stop_lsn: '0/400100',
      wal_segment_size: mb,
    })
    expect(found.gap).toMatchObject({ missing: name, reason: 'it has 5 bytes instead of 1048576' })
  })
})
