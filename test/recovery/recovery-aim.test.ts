import { describe, expect, it } from '@jest/globals'
import type { LocalBackup } from '../../src/catalog/backup.js'
import type { Moment } from '../../src/recovery/moment.js'
import { aimAt } from '../../src/recovery/recovery-aim.js'
import type { ArchiveEnd } from '../../src/wal-reading/archive-end.js'
import type { WalAhead } from '../../src/wal-reading/look-ahead.js'
import type { WalSeek } from '../../src/wal-reading/seek-in-wal.js'
import { DamagedSegment } from '../../src/wal-reading/wal-damage.js'
import { aRecord } from '../catalog/samples.js'

const record = aRecord({
  stop_lsn: '0/3000100',
  copied_at: '2026-11-20T02:30:00.000Z',
  finished_at: '2026-11-20T03:00:00.500Z',
})
const backup = { raw: record } as LocalBackup
const end: ArchiveEnd = {
  record: { startLsn: '0/5000200', endLsn: '0/5000228', timeline: 1 },
  commit: { lsn: '0/5000200', time: '2026-11-20T04:00:00.123456Z' },
  unfinished: undefined,
}
const place = {
  lsn: '0/4000100',
  end: '0/4000130',
  previous: '0/40000C0',
  time: '2026-11-20T03:30:00.000000Z',
}
const ahead = (found: Partial<WalAhead> = {}): WalAhead => ({
  place: undefined,
  tablespaces: [],
  minimums: {},
  damage: undefined,
  noted: [],
  ...found,
})
const damage = {
  index: 2,
  reason: 'it is damaged',
  isReadable: true,
  error: new DamagedSegment({
    segment: '000000010000000000000004',
    path: '/wal',
    reason: 'it is damaged',
    isReadable: true,
  }),
}

interface World {
  exclusive?: boolean
  end?: ArchiveEnd | undefined
  found?: WalAhead
}

/** The aim, and what was sought for it. */
async function aim(moment: Moment, { exclusive = false, found = ahead({ place }), ...world }: World = {}) {
  const sought: (WalSeek | undefined)[] = []
  const look = async (seek?: WalSeek) => {
    sought.push(seek)
    return found
  }
  const theEnd = 'end' in world ? world.end : end
  const until = theEnd?.commit?.time ?? record.finished_at
  return { ...(await aimAt({ backup, wish: { moment, exclusive }, end: theEnd, until, look })), sought }
}

const time = (text: string): Moment => ({ kind: 'time', time: text })
const noon = '2026-11-20T03:15:00.000000Z'

describe('the aim at a time', () => {
  it('is just before the first transaction that was ended after it', async () => {
    expect(await aim(time(noon))).toMatchObject({
      stop: { lsn: '0/4000100', endLsn: '0/4000130', inclusive: false },
      reachLsn: '0/40000C1',
      notAfter: noon,
      asOf: noon,
      sought: [{ kind: 'commit', after: noon, orAt: false }],
    })
  })

  it('without what was ended at it is just before that', async () => {
    const { sought } = await aim(time(noon), { exclusive: true })
    expect(sought).toEqual([{ kind: 'commit', after: noon, orAt: true }])
  })

  it('at or after the last commit is the last record', async () => {
    expect(await aim(time('2026-11-20T04:00:00.123456Z'), { found: ahead() })).toMatchObject({
      stop: { lsn: '0/5000200', inclusive: true },
      reachLsn: '0/5000228',
      lastCommit: '2026-11-20T04:00:00.123456Z',
    })
  })

  it.each([
    ['2026-11-20T03:00:00.499999Z', ahead(), /before the end of its snapshot/],
    ['2026-11-20T04:00:00.123457Z', ahead(), /no WAL after 2026-11-20T04:00:00.123456Z was archived/],
    [noon, ahead({ place: { ...place, lsn: '0/3000080' } }), /its snapshot has a transaction of/],
    [noon, ahead({ damage }), /000000010000000000000004 in \/wal is damaged/],
  ])('%s is not possible', async (text, found, reason) => {
    expect(await aim(time(text), { found })).toMatchObject({ reason: expect.stringMatching(reason) })
  })

  it("at the snapshot's end with an empty archive needs no WAL", async () => {
    const at = '2026-11-20T03:00:00.500000Z'
    expect(await aim(time(at), { end: undefined })).toMatchObject({ stop: undefined, asOf: at, sought: [] })
  })
})

describe('the aim at an LSN', () => {
  const lsn = (text: string): Moment => ({ kind: 'lsn', lsn: text })
  it('is the first record from there on, with it or without', async () => {
    const inclusive = { stop: { lsn: '0/4000100', inclusive: true }, reachLsn: '0/4000101' }
    expect(await aim(lsn('0/40000F8'))).toMatchObject(inclusive)
    const exclusive = { stop: { lsn: '0/4000100', inclusive: false }, reachLsn: '0/40000C1' }
    expect(await aim(lsn('0/40000F8'), { exclusive: true })).toMatchObject(exclusive)
  })

  it('in the middle of the last record, or at its end, is that record', async () => {
    for (const text of ['0/5000201', '0/5000228'])
      for (const exclusive of [true, false])
        expect(await aim(lsn(text), { exclusive, found: ahead() })).toMatchObject({
          stop: { lsn: '0/5000200', inclusive: true },
        })
  })

  it.each([
    ['0/30000FF', /before the end of its snapshot, 0\/3000100/],
    ['0/5000229', /the archive ends at the LSN 0\/5000228/],
  ])('%s is not possible', async (text, reason) => {
    expect(await aim(lsn(text))).toMatchObject({ reason: expect.stringMatching(reason) })
  })
})

describe('the aim at a transaction or a restore point', () => {
  it('is its record', async () => {
    expect(await aim({ kind: 'xid', xid: '731' })).toMatchObject({
      stop: { lsn: '0/4000100', inclusive: true },
      lastCommit: place.time,
      sought: [{ kind: 'xid', xid: '731' }],
    })
    expect((await aim({ kind: 'name', name: 'here' })).sought).toEqual([
      { kind: 'name', name: 'here', from: '0/3000100' },
    ])
  })

  it.each([
    [{ kind: 'xid', xid: '731' }, ahead(), /transaction 731 has no end in the archive$/],
    [{ kind: 'xid', xid: '731' }, ahead({ damage }), /that can be read: .*is damaged/],
    [{ kind: 'name', name: 'x' }, ahead(), /no restore point "x"/],
    [
      { kind: 'xid', xid: '7' },
      ahead({ place: { ...place, lsn: '0/3000080' } }),
      /before the end of the snapshot/,
    ],
  ] as [Moment, WalAhead, RegExp][])('%j is not possible', async (moment, found, reason) => {
    expect(await aim(moment, { found })).toMatchObject({ reason: expect.stringMatching(reason) })
  })
})

describe('the aim at the end', () => {
  it('is the start of the last record', async () => {
    expect(await aim({ kind: 'latest' }, { found: ahead() })).toMatchObject({
      stop: { lsn: '0/5000200', inclusive: true },
      reachLsn: '0/5000228',
      asOf: '2026-11-20T04:00:00.123456Z',
    })
  })

  it('is as of a commit that the archive has from the time of the verification', async () => {
    const commit = { lsn: '0/5000200', time: '2026-11-20T02:45:00.000000Z' }
    const found = await aim({ kind: 'latest' }, { end: { ...end, commit } })
    expect(found).toMatchObject({ reachLsn: '0/5000228', asOf: commit.time })
  })

  it("is the snapshot's own where the archive ends before it is consistent", async () => {
    const early = {
      ...end,
      record: { ...end.record, startLsn: '0/30000C8', endLsn: '0/3000100' },
      commit: undefined,
    }
    expect(await aim({ kind: 'latest' }, { end: early, found: ahead() })).toMatchObject({
      stop: undefined,
      asOf: record.copied_at,
    })
  })
})
