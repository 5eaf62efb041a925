import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readCatalog } from '../../src/catalog/catalog.js'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'

export const mb = 1024 * 1024
const [older, newer] = ['20261120T030000Z', '20261121T030000Z']

/** Two backups with segments of 1 MB; the files are named by the end of their names. */
export function twoArchives(inOlder: string[], inNewer: string[]) {
  const root = anEmptyRoot()
  const lay = (id: string, files: string[], more: object) => {
    const { wal } = aBackup(root, id, { wal_segment_size: mb, ...more })
    for (const name of readdirSync(wal)) truncateSync(join(wal, name), mb)
    for (const file of files) {
      const name = file.includes('history') ? file : `00000001000000000000000${file}`
      writeFileSync(join(wal, name), file)
      if (!/gz|history/.test(name)) truncateSync(join(wal, name), mb)
    }
    return wal
  }
  const from = lay(older, inOlder, { start_lsn: '0/300028', stop_lsn: '0/300100' })
  const to = lay(newer, inNewer, { start_lsn: '0/500028', stop_lsn: '0/500100' })
  const [second, first] = readCatalog(root.root).backups
  if (!first || !second) throw new Error('no backups')
  return { root, from, to, backups: [first, second] as const }
}

/** The files of one of them, named like that. */
export const segmentsIn = (directory: string) =>
  readdirSync(directory)
    .filter((name) => !/0003$/.test(name))
    .map((name) => (name.includes('history') ? name : name.slice(23)))
    .sort()
