import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { seedWalArchive } from '../../src/wal-archive/wal-archive.js'
import { segmentRange } from '../../src/wal-segments/segment-range.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const sixteenMb = 16 * 1024 * 1024

describe('segmentRange', () => {
  it.each([
    ['0/3000028', '0/3000100', ['000000010000000000000003']],
    ['0/3000028', '0/4000000', ['000000010000000000000003']],
    ['0/3000028', '0/4000001', ['000000010000000000000003', '000000010000000000000004']],
    ['0/3000000', '0/4000000', ['000000010000000000000003']],
    ['0/FF000028', '1/28', ['0000000100000000000000FF', '000000010000000100000000']],
  ])('from %s to %s is %j', (startLsn, endLsn, names) => {
    expect([...segmentRange({ timeline: 1, startLsn, endLsn }, sixteenMb).names()]).toEqual(names)
  })

  it('counts in segments of the size of the server, on its timeline', () => {
    const range = { timeline: 2, startLsn: '0/3000028', endLsn: '0/3200000' }
    expect([...segmentRange(range, 1024 * 1024).names()]).toEqual([
      '000000020000000000000030',
      '000000020000000000000031',
    ])
  })
})

describe('seedWalArchive', () => {
  const segments = ['000000010000000000000003', '000000010000000000000004']

  function aPgWal(contents: Record<string, string>) {
    const directory = aDirectory()
    const pgWal = join(directory, 'pg_wal')
    mkdirSync(join(pgWal, 'archive_status'), { recursive: true })
    for (const [name, content] of Object.entries(contents)) writeFileSync(join(pgWal, name), content)
    return { pgWal, archive: join(directory, 'wal') }
  }
  const two = { [segments[0] as string]: 'aaaa', [segments[1] as string]: 'bbbb' }
  const seed = (places: ReturnType<typeof aPgWal>, lastIsComplete: boolean) =>
    seedWalArchive({ ...places, segments, segmentSize: 4, lastIsComplete })

  it('copies the segments, and only those', async () => {
    const places = aPgWal({ ...two, '000000010000000000000009': 'cccc' })
    await seed(places, true)
    expect(readdirSync(places.archive).sort()).toEqual(segments)
    expect(readFileSync(join(places.archive, segments[1] as string), 'utf8')).toBe('bbbb')
  })

  it('links nothing: a server in the snapshot would write into the archive', async () => {
    const places = aPgWal(two)
    await seed(places, true)
    for (const name of segments) expect(statSync(join(places.archive, name)).nlink).toBe(1)
  })

  it('keeps an unfinished last segment as partial', async () => {
    const places = aPgWal(two)
    await seed(places, false)
    expect(readdirSync(places.archive).sort()).toEqual([segments[0], `${segments[1]}.partial`])
  })

  it('takes the history of the timelines along', async () => {
    const places = aPgWal({ ...two, '00000002.history': '1\t0/3000000\tno recovery target specified' })
    await seed(places, true)
    expect(readdirSync(places.archive)).toContain('00000002.history')
  })

  it('refuses when a segment is missing', async () => {
    const error = await thrownBy(() => seed(aPgWal({ [segments[0] as string]: 'aaaa' }), true))
    expect(error).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(`${segments[1]} is missing`),
    })
  })

  it.each(['bbb', 'bbbbb', ''])('refuses when a segment has a wrong size: %j', async (content) => {
    const error = await thrownBy(() => seed(aPgWal({ ...two, [segments[1] as string]: content }), false))
    expect(error).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(`has ${content.length} bytes instead of 4`),
    })
  })
})
