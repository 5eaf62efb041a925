import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { readCatalog } from '../../src/backup/catalog.js'
import { withFurtherArchive } from '../../src/backup/further-archive.js'
import { mb, twoArchives } from '../wal/archives.js'
import { aProof } from './samples.js'

/** The older backup, where its archive goes on behind the newer one's. */
function found(
  inOlder: string[],
  inNewer: string[],
  change = (_archives: ReturnType<typeof twoArchives>) => {},
) {
  const archives = twoArchives(inOlder, inNewer)
  change(archives)
  const { backups } = readCatalog(archives.root.root)
  const [newest] = backups
  return newest && withFurtherArchive(newest, { backups })?.id
}

const older = '20261120T030000Z'
const partial = (archive: string, digit: string, bytes: number) =>
  writeFileSync(
    join(archive, `00000001000000000000000${digit}.partial`),
    Buffer.concat([Buffer.alloc(bytes, 'x'), Buffer.alloc(mb - bytes)]),
  )

it.each([
  ['its last segment is later', ['4', '5', '6'], ['5']],
  ['it has what a later hole leaves', ['4', '5', '6', '8'], ['5']],
  ['the newer one has taken over only a part', ['4', '5', '6.gz', '7', '8.partial'], ['5', '6.gz', '7']],
  ['it has finished a segment', ['4', '5.gz'], ['5.partial']],
])('an older archive goes further when %s', (_, inOlder, inNewer) => {
  expect(found(inOlder, inNewer)).toBe(older)
})

it.each([
  ['the newer one has taken over', ['4', '5', '6', '7.partial'], ['5', '6', '7.partial']],
  ['it has a hole before that', ['4', '6', '7'], ['5']],
  ['it ends before that', ['4'], ['5']],
])('it does not when %s', (_, inOlder, inNewer) => {
  expect(found(inOlder, inNewer)).toBeUndefined()
})

it('it does not when nothing was written to its last segment yet', () => {
  const written = (bytes: number) => found(['4', '5'], ['5'], ({ from }) => partial(from, '6', bytes))
  expect(written(0)).toBeUndefined()
  expect(written(1)).toBe(older)
})

it('of two unfinished segments the one goes further that more was written to', () => {
  const written = (inOlder: number, inNewer: number) =>
    found(['4'], [], ({ from, to }) => {
      partial(from, '5', inOlder)
      partial(to, '5', inNewer)
    })
  expect(written(200_000, 199_999)).toBe(older)
  expect(written(200_000, 200_000)).toBeUndefined()
  expect(written(65_536, 65_537)).toBeUndefined()
})

it('another cluster, another history and a failed check do not count', () => {
  const inOlder = ['4', '5', '6']
  const again = (changes: object) => (archives: ReturnType<typeof twoArchives>) => {
    const [{ record, layout }] = archives.backups
    rmSync(layout.record)
    writeFileSync(layout.record, JSON.stringify({ ...record, ...changes }))
  }
  const server = { ...twoArchives([], []).backups[0].record.server, system_identifier: '1' }
  expect(found(inOlder, ['5'], again({}))).toBe(older)
  expect(found(inOlder, ['5'], again({ server }))).toBeUndefined()
  expect(found(inOlder, ['5'], again({ timeline: 2 }))).toBeUndefined()
  const fail = ({ backups: [{ layout }] }: ReturnType<typeof twoArchives>) =>
    writeFileSync(layout.proof, JSON.stringify(aProof({ backup: older, ok: false, faults: ['x'] })))
  expect(found(inOlder, ['5'], fail)).toBeUndefined()
})
