import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  type ArchiveFile,
  chainOf,
  readArchivedWal,
  type WalNeeds,
} from '../../src/wal-archive/archived-wal.js'
import { parseLsn, segmentName } from '../../src/wal-segments/lsn.js'
import { parseHistory, timelinePath } from '../../src/wal-segments/timeline-path.js'
import { aDirectory } from '../helpers/places.js'

const mb = 1024 * 1024
const needs: WalNeeds = {
  timeline: 1,
  start_lsn: '0/3000028',
  stop_lsn: '0/3000100',
  wal_segment_size: 16 * mb,
}

/** Files named by the end of their segment's name: `3`, `4.gz`, `2:5.partial` on timeline 2. */
function files(names: string, size = 16 * mb): ArchiveFile[] {
  return names.split(' ').map((text) => {
    const [, timeline = '1', number = '', ending = ''] = /^(?:(\d):)?([0-9A-F]+)(.*)$/.exec(text) ?? []
    const name = `${timeline.padStart(8, '0')}00000000${number.padStart(8, '0')}${ending}`
    return { directory: '/archive', name, bytes: ending === '.gz' ? 4711 : size }
  })
}

const none = new Map()

function shortChain(found: ReturnType<typeof chainOf>): string {
  return found.chain
    .map(({ timeline, segment, form }) => `${timeline}:${segment.toString(16).toUpperCase()} ${form}`)
    .join(', ')
}

describe('the chain of archived segments', () => {
  it.each([
    ['3 4 5', '1:3 raw, 1:4 raw, 1:5 raw'],
    ['5 3.gz 4', '1:3 gzip, 1:4 raw, 1:5 raw'],
    ['3 4 4.gz', '1:3 raw, 1:4 raw'],
    ['3 4 5.partial', '1:3 raw, 1:4 raw, 1:5 partial'],
    ['3 4 4.partial 5', '1:3 raw, 1:4 raw, 1:5 raw'],
    ['3 4.gz 4.partial', '1:3 raw, 1:4 gzip'],
    ['1 2 3', '1:3 raw'],
    ['3 2:4', '1:3 raw'],
    ['3.partial', '1:3 partial'],
  ])('of %j is %j, without a gap', (names, chain) => {
    const found = chainOf(files(names), none, needs)
    expect({ chain: shortChain(found), gap: found.gap }).toEqual({ chain, gap: undefined })
  })

  const name = (number: number, timeline = 1) => segmentName(timeline, BigInt(number), 16 * mb)

  it.each([
    ['3 5 6', '1:3 raw', { after: name(3), missing: name(4), next: name(5), reason: 'it is missing' }],
    [
      '3 4.partial 5',
      '1:3 raw, 1:4 partial',
      { after: name(3), missing: name(4), next: name(5), reason: 'it is only partly there' },
    ],
    ['4 5', '', { after: undefined, missing: name(3), next: name(4), reason: 'it is missing' }],
    ['1', '', { after: undefined, missing: name(3), next: undefined, reason: 'it is missing' }],
  ])('of %j breaks, and says where', (names, chain, gap) => {
    const found = chainOf(files(names), none, needs)
    expect({ chain: shortChain(found), gap: found.gap }).toEqual({ chain, gap })
  })

  it('breaks at a segment of a wrong size', () => {
    const found = chainOf([...files('3 5'), { directory: '/archive', name: name(4), bytes: 5 }], none, needs)
    const reason = 'it has 5 bytes instead of 16777216'
    expect(found.gap).toEqual({ after: name(3), missing: name(4), next: name(5), reason })
  })

  it('does not count a partial one that is still being filled with zeros', () => {
    const found = chainOf(
      [...files('3'), { directory: '/archive', name: `${name(4)}.partial`, bytes: 5 }],
      none,
      needs,
    )
    expect({ chain: shortChain(found), gap: found.gap }).toEqual({ chain: '1:3 raw', gap: undefined })
  })

  it('breaks at an empty compressed segment, and at a wrong one that is the last', () => {
    const empty = chainOf(
      [...files('3'), { directory: '/archive', name: `${name(4)}.gz`, bytes: 0 }],
      none,
      needs,
    )
    expect(empty.gap).toMatchObject({ missing: name(4), next: undefined, reason: 'its file is empty' })
  })

  it('takes the compressed one when the raw one has a wrong size', () => {
    const found = chainOf(
      [...files('3 4.gz'), { directory: '/archive', name: name(4), bytes: 5 }],
      none,
      needs,
    )
    expect(shortChain(found)).toBe('1:3 raw, 1:4 gzip')
  })

  it('needs the segments up to the end of the snapshot', () => {
    const found = chainOf(files('3'), none, { ...needs, stop_lsn: '0/4000100' })
    expect(found.gap).toMatchObject({ after: name(3), missing: name(4) })
    expect(chainOf(files('3'), none, { ...needs, stop_lsn: '0/4000000' }).gap).toBeUndefined()
  })

  it.each([1, 16, 64, 1024])('counts in segments of %i MB over the limits of 4 GB', (megabytes) => {
    const size = megabytes * mb
    const perId = 0x1_0000_0000n / BigInt(size)
    const numbers = [perId - 1n, perId, perId + 1n]
    const start_lsn = `0/${(0x1_0000_0000n - BigInt(size) + 0x28n).toString(16)}`
    const all = numbers.map((number) => ({
      directory: '/archive',
      name: segmentName(1, number, size),
      bytes: size,
    }))
    const found = chainOf(all, none, { ...needs, start_lsn, stop_lsn: '1/28', wal_segment_size: size })
    expect(found.chain.map(({ segment }) => segment)).toEqual(numbers)
    expect(found.gap).toBeUndefined()
  })

  it('ignores names that are no segments, or segments of another size', () => {
    const stray = [
      'x',
      'pgbk.json',
      '.000000010000000000000004.tmp',
      '00000001000000000000FFFF',
      `${name(4)}.lz4`,
    ]
    const found = chainOf(
      [...files('3'), ...stray.map((one) => ({ directory: '/archive', name: one, bytes: 16 * mb }))],
      none,
      needs,
    )
    expect(shortChain(found)).toBe('1:3 raw')
  })
})

describe('the chain over a switch of timelines', () => {
  const histories = new Map([
    [2, parseHistory('1\t0/5000A00\tno recovery target specified\n', '00000002.history')],
  ])

  it.each([
    ['3 4 5.partial 2:5 2:6', '1:3 raw, 1:4 raw, 2:5 raw, 2:6 raw'],
    ['3 4 5 6 2:5 2:6.partial', '1:3 raw, 1:4 raw, 2:5 raw, 2:6 partial'],
    ['3 4 5.partial', '1:3 raw, 1:4 raw, 1:5 partial'],
    ['3 4 5 6 7', '1:3 raw, 1:4 raw, 1:5 raw'],
  ])('of %j is %j', (names, chain) => {
    const found = chainOf(files(names), histories, needs)
    expect({ chain: shortChain(found), gap: found.gap }).toEqual({ chain, gap: undefined })
  })

  it('breaks where the child has lost the segment of the switch, though the parent has it', () => {
    const found = chainOf(files('3 4 5 2:6'), histories, needs)
    expect(shortChain(found)).toBe('1:3 raw, 1:4 raw, 1:5 raw')
    expect(found.gap).toMatchObject({ missing: '000000020000000000000005', next: '000000020000000000000006' })
  })

  it('follows the newest of several, through its ancestors', () => {
    const two = new Map([
      ...histories,
      [3, parseHistory('1\t0/5000A00\tx\n\n2\t0/6000000\ty\n', '00000003.history')],
      [4, parseHistory('# foreign\n9\t0/100\tz', '00000004.history')],
    ])
    expect(timelinePath(1, 0n, two)).toEqual([
      { timeline: 1, fromLsn: 0n },
      { timeline: 2, fromLsn: parseLsn('0/5000A00') },
      { timeline: 3, fromLsn: parseLsn('0/6000000') },
    ])
    expect(shortChain(chainOf(files('3 4 2:5 3:6 3:7'), two, needs))).toBe(
      '1:3 raw, 1:4 raw, 2:5 raw, 3:6 raw, 3:7 raw',
    )
  })

  it('is not that of a timeline which left before the end of the snapshot', () => {
    const early = new Map([[2, parseHistory('1\t0/2000A00\tx', '00000002.history')]])
    expect(timelinePath(1, parseLsn('0/3000100'), early)).toEqual([{ timeline: 1, fromLsn: 0n }])
    expect(shortChain(chainOf(files('3 4 2:2 2:3 2:4 2:5'), early, needs))).toBe('1:3 raw, 1:4 raw')
  })

  it('begins on the timeline of the backup, though its own history is there', () => {
    const found = chainOf(files('2:6 2:7'), histories, {
      ...needs,
      timeline: 2,
      start_lsn: '0/6000028',
      stop_lsn: '0/6000100',
    })
    expect(shortChain(found)).toBe('2:6 raw, 2:7 raw')
  })

  it('allows two switches in one segment', () => {
    const two = new Map([[3, parseHistory('1\t0/5000A00\tx\n2\t0/5000B00\ty', '00000003.history')]])
    expect(shortChain(chainOf(files('3 4 5.partial 2:5.partial 3:5 3:6'), two, needs))).toBe(
      '1:3 raw, 1:4 raw, 3:5 raw, 3:6 raw',
    )
    expect(shortChain(chainOf(files('3 4 5.partial 2:5.partial'), two, needs))).toBe(
      '1:3 raw, 1:4 raw, 2:5 partial',
    )
  })
})

describe('readArchivedWal', () => {
  it('reads names, sizes and histories', () => {
    const directory = aDirectory()
    const small = { ...needs, wal_segment_size: mb, start_lsn: '0/300028', stop_lsn: '0/300100' }
    const put = (name: string, content: string | Buffer) => writeFileSync(join(directory, name), content)
    put('000000010000000000000003', Buffer.alloc(mb))
    put('000000010000000000000004.partial', Buffer.alloc(mb))
    put('000000020000000000000004.gz', 'x')
    put('00000002.history', '1\t0/400A00\tno recovery target specified')
    put('00000003.history', 'nonsense')
    mkdirSync(join(directory, '000000020000000000000005'))
    const found = readArchivedWal(directory, small)
    expect(shortChain(found)).toBe('1:3 raw, 2:4 gzip')
    expect(found.gap).toBeUndefined()
    const problem = 'the timeline history 00000003.history is not understood: nonsense'
    expect(found.faults).toEqual([{ file: '00000003.history', problem }])
  })

  it('takes a missing directory for an empty archive', () => {
    const found = readArchivedWal('/no/such/directory', needs)
    expect(found.chain).toEqual([])
    expect(found.gap).toMatchObject({ after: undefined, reason: 'it is missing' })
  })
})
