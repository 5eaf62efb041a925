import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { recordOf } from '../../src/catalog/backup.js'
import { readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { findRecord } from '../../src/wal-reading/find-record.js'
import { lengthOfRecord, runDump } from '../../src/wal-reading/wal-dump.js'
import {
  type WaldumpDirectory,
  withSegments,
  withWaldumpDirectory,
} from '../../src/wal-reading/waldump-directory.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { twoArchives } from '../wal-archive/archives.js'

const segment = (digit: number) => `00000001000000000000000${digit}`
const line = 'rmgr: XLOG len (rec/tot): 24/ 24, tx: 0, lsn: 0/00400028, prev 0/00300028, desc: SWITCH'

/** Finishes a segment when pg_waldump is to read it, and compresses another, each time that there is one. */
const program = join(aDirectory('pgbk-waldump-'), 'pg_waldump')
writeFileSync(
  program,
  `#!/bin/sh
if [ -f "$ARCHIVE/${segment(5)}.partial" ]; then mv "$ARCHIVE/${segment(5)}.partial" "$ARCHIVE/${segment(5)}"
elif [ -f "$ARCHIVE/${segment(4)}" ]; then gzip "$ARCHIVE/${segment(4)}"; fi
for one in ${segment(3)} ${segment(4)} ${segment(5)}; do
  cat $one > /dev/null || { echo "pg_waldump: error: could not open file" >&2; exit 1; }
done
echo "${line}"
`,
  { mode: 0o755 },
)

/** The first three segments, in such a directory. */
function inWaldump<T>(work: (waldump: WaldumpDirectory, archive: string) => Promise<T>): Promise<T> {
  const { from, backups } = twoArchives(['4', '5.partial'], [])
  const env = { PATH: process.env.PATH, TMPDIR: aDirectory(), ARCHIVE: from }
  const wal = readArchivedWal(from, recordOf(backups[0]))
  const signal = new AbortController().signal
  return withWaldumpDirectory(program, wal, { env, signal }, (waldump) => work(waldump, from))
}

describe('what is in the directory of pg_waldump while a receiver is at work', () => {
  const all = { first: 0, last: 2 }

  it('is found again by all that run pg_waldump', async () => {
    const filter = { args: [], pattern: 'desc: ', lastOnly: false }
    expect(await inWaldump((waldump) => runDump(waldump, 0, 2, filter))).toEqual({
      stdout: `${line}\n`,
      failure: '',
    })
    expect(await inWaldump((waldump) => lengthOfRecord(waldump, 0, '0/400028'))).toEqual({
      length: 24,
      isSwitch: true,
    })
    const query = { kind: 'lsn', lsn: '0/300028' } as const
    expect(await inWaldump((waldump) => findRecord(waldump, all, query, []))).toMatchObject({
      lsn: '0/400028',
    })
  })

  it('is found again by work that throws, and no longer when it is there', async () => {
    let count = 0
    const content = await inWaldump((waldump, archive) =>
      withSegments(waldump, all, async ([, , name = '']) => {
        if (count++ === 0) renameSync(join(archive, `${segment(5)}.partial`), join(archive, segment(5)))
        return readFileSync(join(waldump.directory, name), 'utf8').slice(0, 9)
      }),
    )
    expect({ content, count }).toEqual({ content: '5.partial', count: 2 })
    const fault = new Error('mine')
    expect(
      await thrownBy(() => inWaldump((waldump) => withSegments(waldump, all, () => Promise.reject(fault)))),
    ).toBe(fault)
  })

  it('is damaged when it has gone', async () => {
    const lose = (waldump: WaldumpDirectory, archive: string) =>
      withSegments(waldump, all, async () => {
        renameSync(join(archive, segment(4)), join(archive, 'gone'))
        throw new Error('cannot be read')
      })
    expect(await thrownBy(() => inWaldump(lose))).toMatchObject({ code: 'damaged' })
  })
})
