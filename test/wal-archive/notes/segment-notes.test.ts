import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import type { ArchivedSegment } from '../../../src/wal-archive/archived-wal.js'
import { fileIdentity, type SegmentNote, SegmentNotes } from '../../../src/wal-archive/notes/segment-notes.js'
import { aDirectory } from '../../helpers/places.js'

const system = '7300000000000000001'
const facts = {
  newest: '2026-11-20T15:04:00.000001Z',
  commit: { lsn: '0/300028', time: '2026-11-20T15:04:00.000001Z' },
  xids: [[700, 720]] as [number, number][],
  restore_points: [{ lsn: '0/300100', name: 'before "it"\n' }],
  tablespaces: [],
  settings: [{ lsn: '0/300200', minimums: { max_connections: 200 } }],
}
const digestOf = (index: number) => String(index).repeat(8)

/** An archive of four segments, of which all but the last are noted. */
async function aNotedArchive() {
  const backups = aDirectory()
  const directory = join(backups, '20261120T030000Z/wal')
  mkdirSync(directory, { recursive: true })
  const chain = [3, 4, 5, 6].map((index): ArchivedSegment => {
    const name = `00000001000000000000000${index}`
    writeFileSync(join(directory, name), `segment ${index}`)
    return { name, timeline: 1, segment: BigInt(index), form: 'raw', directory, file: name, bytes: 9 }
  })
  const notes = chain.slice(0, 3).map(
    ({ name }, at): SegmentNote => ({
      name,
      file: fileIdentity(join(directory, name)) ?? '',
      system_identifier: system,
      digest: digestOf(at + 3),
      next: digestOf(at + 4),
      facts,
    }),
  )
  const file = join(directory, '.pgbk-segments')
  await new SegmentNotes(backups).add(directory, notes)
  /** Which segments need not be read. */
  const known = (of = system, root = backups) =>
    new SegmentNotes(root).factsOf({ chain }, of).map((one) => one !== undefined)
  return { backups, directory, chain, notes, file, known }
}

describe('notes about segments', () => {
  it('are known where the segment and the next one have theirs, and belong to their cluster', async () => {
    const { backups, chain, known } = await aNotedArchive()
    expect(known()).toEqual([true, true, false, false])
    expect(new SegmentNotes(backups).factsOf({ chain }, system)[0]).toEqual(facts)
    expect(known('7300000000000000002')).toEqual([false, false, false, false])
  })

  it('count no more when a file was changed, whatever times it was given, or replaced', async () => {
    const { directory, chain, known } = await aNotedArchive()
    const path = join(directory, chain[1]?.name ?? '')
    writeFileSync(path, 'SEGMENT 4')
    utimesSync(path, new Date(0), new Date(0))
    expect(known()).toEqual([false, false, false, false])
  })

  it('count no more where something else follows', async () => {
    const { backups, directory, notes, known } = await aNotedArchive()
    const [, second] = notes
    if (!second) throw new Error('no note')
    await new SegmentNotes(backups).replace(directory, [
      ...notes.filter((one) => one !== second),
      { ...second, digest: digestOf(8) },
    ])
    expect(known()).toEqual([false, true, false, false])
  })

  it('count only with the signature of their root', async () => {
    const { file, known } = await aNotedArchive()
    const text = readFileSync(file, 'utf8')
    expect(known(system, aDirectory())).toEqual([false, false, false, false])
    writeFileSync(file, text.replaceAll('15:04:00', '15:03:00'))
    expect(known()).toEqual([false, false, false, false])
  })

  it('are each lost alone when a process was killed while it wrote, or bytes were lost', async () => {
    const { backups, directory, notes, file, known } = await aNotedArchive()
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.slice(0, -20))
    expect(known()).toEqual([true, false, false, false])
    await new SegmentNotes(backups).add(directory, notes.slice(2))
    expect(known()).toEqual([true, true, false, false])
    appendFileSync(file, Buffer.alloc(4096, 0xff))
    expect(known()).toEqual([true, true, false, false])
  })

  it('hinder nobody where they can be neither read nor written', async () => {
    const places: ((file: string) => void)[] = [
      (file) => mkdirSync(file),
      (file) => execaSync('mkfifo', [file]),
      (file) => execaSync('ln', ['-s', '/dev/zero', file]),
      (file) => chmodSync(join(file, '..'), 0o500),
    ]
    for (const put of places) {
      const { backups, directory, notes, file, known } = await aNotedArchive()
      rmSync(file)
      put(file)
      await new SegmentNotes(backups).add(directory, notes)
      expect([known()[2], known()[3]]).toEqual([false, false])
    }
  })

  it('are begun anew in a file that is too large to be read', async () => {
    const { backups, directory, notes, file, known } = await aNotedArchive()
    execaSync('truncate', ['-s', '64M', file])
    await new SegmentNotes(backups).add(directory, notes)
    expect(known()).toEqual([true, true, false, false])
  })

  it('come together from several writers at once', async () => {
    const { backups, directory, notes, file, known } = await aNotedArchive()
    rmSync(file)
    await Promise.all(notes.map((note) => new SegmentNotes(backups).add(directory, [note])))
    expect(known()).toEqual([true, true, false, false])
  })
})
