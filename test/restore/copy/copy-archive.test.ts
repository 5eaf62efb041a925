import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { recordOf } from '../../../src/catalog/backup.js'
import { copyArchive } from '../../../src/restore/copy/copy-archive.js'
import { readArchivedWal } from '../../../src/wal-archive/archived-wal.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'
import { segmentsIn, twoArchives } from '../../wal-archive/archives.js'

const signal = new AbortController().signal
const history = '00000002.history'

/** Copies an archive that was read before something happened in it. */
async function copied(files: string[], lastSegment: bigint, happens: (directory: string) => void = () => {}) {
  const { from, backups } = twoArchives(files, [])
  if (files.includes(history))
    writeFileSync(join(from, history), '1\t0/8000000\tno recovery target specified\n')
  const wal = readArchivedWal(from, recordOf(backups[0]))
  happens(from)
  const to = join(aDirectory(), 'wal')
  await copyArchive(wal, to, { lastSegment, signal })
  return to
}

const segment = (digit: string) => `00000001000000000000000${digit}`

it('the copy of an archive has its histories, and the segments up to the last that is needed', async () => {
  const to = await copied(['4', '5.gz', '6', '7.partial', '00000002.history'], 6n, (from) => {
    writeFileSync(join(from, '.pgbk-window.json'), '{}')
    mkdirSync(join(from, 'diverged'))
  })
  expect(readdirSync(to)).toContain(segment('3'))
  expect(segmentsIn(to)).toEqual(['00000002.history', '4', '5.gz', '6'])
})

it('the copy has a segment that a receiver finishes or compresses meanwhile', async () => {
  const to = await copied(['4', '5', '6.partial', '8'], 6n, (from) => {
    renameSync(join(from, segment('4')), join(from, `${segment('4')}.gz`))
    renameSync(join(from, `${segment('6')}.partial`), join(from, segment('6')))
  })
  expect(segmentsIn(to)).toEqual(['4.gz', '5', '6'])
  expect(readFileSync(join(to, segment('6')), 'utf8').slice(0, 9)).toBe('6.partial')
})

it('no copy is made of an archive that a segment has gone from', async () => {
  const lose = (from: string) => renameSync(join(from, segment('4')), join(from, 'gone'))
  const error = await thrownBy(() => copied(['4', '5'], 5n, lose))
  expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining(segment('4')) })
})
