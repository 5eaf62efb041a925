import { mkdirSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import type { ArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { type WayThroughPool, walPool } from '../../src/wal-archive/wal-pool.js'
import { seamsOf } from '../../src/wal-archive/wal-seams.js'
import { formatLsn, segmentName } from '../../src/wal-segments/lsn.js'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'
import { mb } from './archives.js'

const many = 30
const nameOf = (number: number, timeline = 1) => segmentName(timeline, BigInt(number), mb)
/** Where the archive of a backup begins; it ends with the first segment of the next one's. */
const firstOf = (index: number) => 16 + 3 * index

/** Backups day by day, with a receiver that went from the archive of each to that of the next. */
function aRootWithReceiver() {
  const root = anEmptyRoot()
  const archives: string[] = []
  for (let index = 0; index < many; index++) {
    const at = (bytes: number) => formatLsn(BigInt(firstOf(index) * mb + bytes))
    const id = `202611${String(index + 1).padStart(2, '0')}T030000Z`
    const own = { wal_segment_size: mb, start_lsn: at(40), stop_lsn: at(256) }
    const { wal } = aBackup(root, id, own)
    rmSync(wal, { recursive: true })
    mkdirSync(wal)
    for (let number = firstOf(index); number <= firstOf(index + 1); number++) lay(wal, nameOf(number))
    archives.push(wal)
  }
  return { root, archives }
}

function lay(archive: string, name: string): void {
  writeFileSync(join(archive, name), name)
  truncateSync(join(archive, name), mb)
}

const shown = ({ chain, gap }: ArchivedWal) => ({
  chain: chain.map(({ directory, file }) => `${directory}/${file}`),
  gap,
})

describe('the chains of backups whose archives go on one in the next', () => {
  const changes: [string, (archives: string[]) => WayThroughPool][] = [
    ['are whole', () => ({})],
    [
      'end in an unfinished segment',
      (archives) => {
        const last = join(archives.at(-1) ?? '', nameOf(firstOf(many)))
        renameSync(last, `${last}.partial`)
        return {}
      },
    ],
    [
      'have a gap',
      (archives) => {
        for (const archive of archives) rmSync(join(archive, nameOf(firstOf(20) + 1)), { force: true })
        return {}
      },
    ],
    [
      'have a damaged copy',
      (archives) => ({ damaged: new Map([[join(archives[20] ?? '', nameOf(firstOf(20))), 'it']]) }),
    ],
    ['do not all count', (archives) => ({ without: new Set([archives[20] ?? '']) })],
    [
      'go on on another timeline',
      (archives) => {
        const switched = formatLsn(BigInt(firstOf(25) * mb + 5000))
        for (const archive of archives.slice(25)) {
          writeFileSync(join(archive, '00000002.history'), `1\t${switched}\tno recovery target specified\n`)
          for (const name of readdirSync(archive).filter((one) => /^00000001.{16}$/.test(one)))
            lay(archive, name.replace(/^00000001/, '00000002'))
        }
        return {}
      },
    ],
  ]

  it.each(changes)(
    'are followed once where they are the same, and as each would be alone: they %s',
    (_, change) => {
      const { root, archives } = aRootWithReceiver()
      const way = change(archives)
      const catalog = readCatalog(root.root)
      const pool = walPool(catalog)
      const chains = catalog.backups.map((backup) => pool.walOf(backup, way))
      const alone = catalog.backups.map((backup) => walPool(catalog).walOf(backup, way))
      expect(chains.map(shown)).toEqual(alone.map(shown))
      expect(Math.max(...chains.map(({ runs }) => runs.length))).toBeGreaterThan(15)
      expect(new Set(chains.flatMap(({ runs }) => runs)).size).toBeLessThan(3 * many)
      expect(new Set(chains.flatMap(seamsOf)).size).toBeLessThan(3 * many)
    },
  )
})
