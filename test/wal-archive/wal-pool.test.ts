import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { layoutOf, plainSnapshotOf } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import { lastOf } from '../../src/wal-archive/archived-wal.js'
import { readSeamNote, seamKey, writeSeamNote } from '../../src/wal-archive/notes/seam-note.js'
import { type PooledBackup, walPool } from '../../src/wal-archive/wal-pool.js'
import { seamsOf } from '../../src/wal-archive/wal-seams.js'
import { bringTogether } from '../../src/wal-coverage/move-wal.js'
import { mb, segmentsIn, twoArchives } from './archives.js'

type Archives = ReturnType<typeof twoArchives>

/** The chain of one of two backups: each segment with the archive in which it lies. */
function chainOf(
  which: 'older' | 'newer',
  inOlder: string[],
  inNewer: string[],
  change = (_archives: Archives) => {},
) {
  const archives = twoArchives(inOlder, inNewer)
  change(archives)
  const { backups } = readCatalog(archives.root.root)
  const wal = walPool(readCatalog(archives.root.root)).walOf(
    backups.at(which === 'older' ? -1 : 0) as PooledBackup,
  )
  const shown = wal.chain.map(
    ({ directory, file }) => `${directory === archives.from ? 'old' : 'new'} ${file.slice(23)}`,
  )
  return { chain: shown.join(', '), gap: wal.gap, wal }
}

const partial = (archive: string, digit: string, bytes: number) =>
  writeFileSync(
    join(archive, `00000001000000000000000${digit}.partial`),
    Buffer.concat([Buffer.alloc(bytes, 'x'), Buffer.alloc(mb - bytes)]),
  )

describe('the WAL of an older backup goes on in the archive of a newer one', () => {
  it.each([
    ['behind its end', ['4', '5'], ['5', '6', '7.gz'], 'old 3, old 4, old 5, new 6, new 7.gz'],
    ['with no segment in both', ['4'], ['5', '6'], 'old 3, old 4, new 5, new 6'],
    [
      'where its own is unfinished',
      ['4', '5.partial'],
      ['5', '6.partial'],
      'old 3, old 4, new 5, new 6.partial',
    ],
    ['over a hole of its own', ['4', '5', '7'], ['5', '6', '7'], 'old 3, old 4, old 5, new 6, new 7'],
  ])('%s', (_, inOlder, inNewer, chain) => {
    expect(chainOf('older', inOlder, inNewer)).toMatchObject({ chain, gap: undefined })
  })

  it.each([
    ['does not reach it', ['4'], ['6', '7'], 'old 3, old 4'],
    ['is all that is needed', ['4', '5', '6'], ['5', '6'], 'old 3, old 4, old 5, old 6'],
  ])('but not when its own %s, and that is no gap', (_, inOlder, inNewer, chain) => {
    expect(chainOf('older', inOlder, inNewer)).toMatchObject({ chain, gap: undefined })
  })

  it('up to a gap there, which is named', () => {
    expect(chainOf('older', ['4', '5'], ['5', '6', '8'])).toMatchObject({
      chain: 'old 3, old 4, old 5, new 6',
      gap: { missing: '000000010000000000000007', next: '000000010000000000000008' },
    })
  })

  it('which may be that of a backup whose record is unreadable, but of no other cluster, and none that is being deleted', () => {
    const again =
      (text: (json: string) => string) =>
      ({ backups: [, backup] }: Archives) =>
        writeFileSync(layoutOf(backup).record, text(JSON.stringify(backup.raw)))
    const found = (change: (archives: Archives) => void) =>
      chainOf('older', ['4', '5'], ['5', '6'], change).chain
    const all = 'old 3, old 4, old 5, new 6'
    expect(found(() => {})).toBe(all)
    expect(found(again(() => '{'))).toBe(all)
    expect(found(again((json) => json.replace('7574880158414284817', '1')))).toBe('old 3, old 4, old 5')
    const remove = ({ backups: [, backup] }: Archives) => {
      const layout = layoutOf(backup)
      rmSync(layout.record)
      writeFileSync(layout.marker, '{}')
    }
    expect(found(remove)).toBe('old 3, old 4, old 5')
  })
})

describe('the WAL of the newest backup goes on in the archive of an older one', () => {
  it.each([
    ['its last segment is later', ['4', '5', '6'], ['5'], 'new 5, old 6'],
    ['it has what a later hole leaves', ['4', '5', '6', '8'], ['5'], 'new 5, old 6'],
    [
      'only a part was taken over',
      ['4', '5', '6.gz', '7', '8.partial'],
      ['5', '6.gz', '7'],
      'new 5, new 6.gz, new 7, old 8.partial',
    ],
    ['it has finished a segment', ['4', '5.gz'], ['5.partial'], 'old 5.gz'],
  ])('when %s', (_, inOlder, inNewer, chain) => {
    expect(
      chainOf('newer', inOlder, inNewer, ({ to }) => rmSync(join(to, '000000010000000000000003'))).chain,
    ).toBe(chain)
  })

  it.each([
    ['its first segment is missing, and the snapshot has it', ['5', '6'], 'old 5, old 6'],
    ['but not when nothing is there to compare it with', [], ''],
  ])('when %s', (_, inSnapshot, chain) => {
    const found = chainOf('newer', ['4', '5', '6'], [], ({ to, backups: [, newer] }) => {
      rmSync(join(to, '000000010000000000000003'))
      const wal = plainSnapshotOf(newer).pgWal
      mkdirSync(wal)
      for (const digit of inSnapshot) {
        const path = join(wal, `00000001000000000000000${digit}`)
        writeFileSync(path, '')
        truncateSync(path, mb)
      }
    })
    expect(found.chain).toBe(chain)
    if (chain === '') expect(found.gap).toMatchObject({ missing: '000000010000000000000005' })
  })

  it('of two unfinished segments the one counts that more was written to', () => {
    const written = (inOlder: number, inNewer: number) =>
      chainOf('newer', ['4'], [], ({ from, to }) => {
        partial(from, '5', inOlder)
        partial(to, '5', inNewer)
      }).chain
    expect(written(65_537, 65_536)).toBe('old 5.partial')
    expect(written(65_536, 65_536)).toBe('new 5.partial')
    expect(written(65_536, 65_537)).toBe('new 5.partial')
  })
})

describe('the seam between two archives', () => {
  const overlap = (inOlder: string[], inNewer: string[]) => {
    const [seam] = seamsOf(chainOf('older', inOlder, inNewer).wal)
    return (
      seam &&
      [seam.before, seam.after, seam.overlap?.one, seam.overlap?.other].map((one) => one?.file.slice(23))
    )
  }

  it('is looked at in a segment that both have, if there is one', () => {
    expect(overlap(['4', '5'], ['5.gz', '6'])).toEqual(['5', '6', '5', '5.gz'])
    expect(overlap(['4', '5.partial'], ['5', '6'])).toEqual(['5.partial', '5', '5.partial', '5'])
    expect(overlap(['4'], ['5'])).toEqual(['4', '5', undefined, undefined])
  })
})

describe('what was found out about a seam', () => {
  it('is remembered in its root; a note that was not signed there is none', async () => {
    const [seam] = seamsOf(chainOf('older', ['4', '5'], ['5.gz', '6']).wal)
    if (!seam) throw new Error('no seam')
    await writeSeamNote(seam, false)
    expect(readSeamNote(seam)).toBe(false)
    const note = { seam: seamKey(seam), joins: true }
    for (const forged of [note, { signed: `${'0'.repeat(64)} ${JSON.stringify(note)}` }]) {
      writeFileSync(join(seam.before.directory, '.pgbk-seam.json'), JSON.stringify(forged))
      expect(readSeamNote(seam)).toBe(undefined)
    }
  })
})

it('two processes give an archive the same segments at a time', async () => {
  const { wal } = chainOf('older', ['4'], ['5', '6', '7', '8'])
  const to = { directory: dirname(wal.directory) }
  await Promise.all([1, 2, 3, 4].map(() => bringTogether(to, wal, 100n)))
  expect(segmentsIn(wal.directory)).toEqual(['4', '5', '6', '7', '8'])
})

describe('a timeline', () => {
  const history = (archive: string, name: string, text: string) =>
    writeFileSync(join(archive, `${name}.history`), text)
  const on2 = (archive: string, digit: string) =>
    writeFileSync(join(archive, `00000002000000000000000${digit}`), Buffer.alloc(mb))

  it('that another archive tells of is followed, when its WAL is there', () => {
    const promote =
      (withWal: boolean) =>
      ({ to }: Archives) => {
        history(to, '00000002', '1\t0/580000\tno recovery target specified\n')
        for (const digit of withWal ? ['5', '6'] : []) on2(to, digit)
      }
    const end = (withWal: boolean) => lastOf(chainOf('older', ['4', '5', '6'], ['5'], promote(withWal)).wal)
    expect(end(true)).toMatchObject({ timeline: 2, segment: 6n })
    expect(end(false)).toMatchObject({ timeline: 1, segment: 6n })
  })

  it('of another history under the same number is not', () => {
    const fork = ({ from, to }: Archives) => {
      history(from, '00000002', '1\t0/480000\tno recovery target specified\n')
      for (const digit of ['4', '5']) on2(from, digit)
      history(to, '00000002', '1\t0/580000\tno recovery target specified\n')
      for (const digit of ['5', '6']) on2(to, digit)
    }
    expect(lastOf(chainOf('older', ['4'], ['5'], fork).wal)).toMatchObject({ timeline: 2, segment: 5n })
    expect(lastOf(chainOf('newer', ['4'], ['5'], fork).wal)).toMatchObject({ timeline: 2, segment: 6n })
  })
})
