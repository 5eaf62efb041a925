import { describe, expect, it } from '@jest/globals'
import type { LocalBackup } from '../../src/catalog/backup.js'
import type { TargetPoint } from '../../src/recovery/recovery-target.js'
import { resolveTarget } from '../../src/recovery/resolve-target.js'
import type { ArchiveEnd } from '../../src/wal-reading/archive-end.js'
import type { RecordQuery } from '../../src/wal-reading/find-record.js'
import type { WalScan } from '../../src/wal-reading/scan-wal.js'
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
const position = {
  lsn: '0/4000100',
  end: '0/4000130',
  previous: '0/40000C0',
  time: '2026-11-20T03:30:00.000000Z',
}
const scan = (found: Partial<WalScan> = {}): WalScan => ({
  position: undefined,
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
  found?: WalScan
}

/** The stop point, and what was sought for it. */
async function resolved(
  point: TargetPoint,
  { exclusive = false, found = scan({ position }), ...world }: World = {},
) {
  const sought: (RecordQuery | undefined)[] = []
  const scanTo = async (query?: RecordQuery) => {
    sought.push(query)
    return found
  }
  const theEnd = 'end' in world ? world.end : end
  const until = theEnd?.commit?.time ?? record.finished_at
  return {
    ...(await resolveTarget({ backup, target: { point, exclusive }, end: theEnd, until, scanTo })),
    sought,
  }
}

const time = (text: string): TargetPoint => ({ kind: 'time', time: text })
const noon = '2026-11-20T03:15:00.000000Z'

describe('the stop point for a time', () => {
  it('is just before the first transaction that was ended after it', async () => {
    expect(await resolved(time(noon))).toMatchObject({
      stop: { lsn: '0/4000100', endLsn: '0/4000130', inclusive: false },
      requiredLsn: '0/40000C1',
      notAfter: noon,
      asOf: noon,
      sought: [{ kind: 'commit', after: noon, orAt: false }],
    })
  })

  it('without what was ended at it is just before that', async () => {
    const { sought } = await resolved(time(noon), { exclusive: true })
    expect(sought).toEqual([{ kind: 'commit', after: noon, orAt: true }])
  })

  it('at or after the last commit is the last record', async () => {
    expect(await resolved(time('2026-11-20T04:00:00.123456Z'), { found: scan() })).toMatchObject({
      stop: { lsn: '0/5000200', inclusive: true },
      requiredLsn: '0/5000228',
      lastCommit: '2026-11-20T04:00:00.123456Z',
    })
  })

  it.each([
    ['2026-11-20T03:00:00.499999Z', scan(), /before the end of its snapshot/],
    ['2026-11-20T04:00:00.123457Z', scan(), /no WAL after 2026-11-20T04:00:00.123456Z was archived/],
    [noon, scan({ position: { ...position, lsn: '0/3000080' } }), /its snapshot has a transaction of/],
    [noon, scan({ damage }), /000000010000000000000004 in \/wal is damaged/],
  ])('%s is not possible', async (text, found, reason) => {
    expect(await resolved(time(text), { found })).toMatchObject({ reason: expect.stringMatching(reason) })
  })

  it("at the snapshot's end with an empty archive needs no WAL", async () => {
    const at = '2026-11-20T03:00:00.500000Z'
    expect(await resolved(time(at), { end: undefined })).toMatchObject({
      stop: undefined,
      asOf: at,
      sought: [],
    })
  })
})

describe('the stop point for an LSN', () => {
  const lsn = (text: string): TargetPoint => ({ kind: 'lsn', lsn: text })
  it('is the first record from there on, with it or without', async () => {
    const inclusive = { stop: { lsn: '0/4000100', inclusive: true }, requiredLsn: '0/4000101' }
    expect(await resolved(lsn('0/40000F8'))).toMatchObject(inclusive)
    const exclusive = { stop: { lsn: '0/4000100', inclusive: false }, requiredLsn: '0/40000C1' }
    expect(await resolved(lsn('0/40000F8'), { exclusive: true })).toMatchObject(exclusive)
  })

  it('in the middle of the last record, or at its end, is that record', async () => {
    for (const text of ['0/5000201', '0/5000228'])
      for (const exclusive of [true, false])
        expect(await resolved(lsn(text), { exclusive, found: scan() })).toMatchObject({
          stop: { lsn: '0/5000200', inclusive: true },
        })
  })

  it.each([
    ['0/30000FF', /before the end of its snapshot, 0\/3000100/],
    ['0/5000229', /the archive ends at the LSN 0\/5000228/],
  ])('%s is not possible', async (text, reason) => {
    expect(await resolved(lsn(text))).toMatchObject({ reason: expect.stringMatching(reason) })
  })
})

describe('the stop point for a transaction or a restore point', () => {
  it('is its record', async () => {
    expect(await resolved({ kind: 'xid', xid: '731' })).toMatchObject({
      stop: { lsn: '0/4000100', inclusive: true },
      lastCommit: position.time,
      sought: [{ kind: 'xid', xid: '731' }],
    })
    expect((await resolved({ kind: 'name', name: 'here' })).sought).toEqual([
      { kind: 'name', name: 'here', from: '0/3000100' },
    ])
  })

  it.each([
    [{ kind: 'xid', xid: '731' }, scan(), /transaction 731 has no end in the archive$/],
    [{ kind: 'xid', xid: '731' }, scan({ damage }), /that can be read: .*is damaged/],
    [{ kind: 'name', name: 'x' }, scan(), /no restore point "x"/],
    [
      { kind: 'xid', xid: '7' },
      scan({ position: { ...position, lsn: '0/3000080' } }),
      /before the end of the snapshot/,
    ],
  ] as [TargetPoint, WalScan, RegExp][])('%j is not possible', async (point, found, reason) => {
    expect(await resolved(point, { found })).toMatchObject({ reason: expect.stringMatching(reason) })
  })
})

describe('the stop point for the end', () => {
  it('is the start of the last record', async () => {
    expect(await resolved({ kind: 'latest' }, { found: scan() })).toMatchObject({
      stop: { lsn: '0/5000200', inclusive: true },
      requiredLsn: '0/5000228',
      asOf: '2026-11-20T04:00:00.123456Z',
    })
  })

  it('is as of a commit that the archive has from the time of the verification', async () => {
    const commit = { lsn: '0/5000200', time: '2026-11-20T02:45:00.000000Z' }
    const found = await resolved({ kind: 'latest' }, { end: { ...end, commit } })
    expect(found).toMatchObject({ requiredLsn: '0/5000228', asOf: commit.time })
  })

  it("is the snapshot's own where the archive ends before it is consistent", async () => {
    const early = {
      ...end,
      record: { ...end.record, startLsn: '0/30000C8', endLsn: '0/3000100' },
      commit: undefined,
    }
    expect(await resolved({ kind: 'latest' }, { end: early, found: scan() })).toMatchObject({
      stop: undefined,
      asOf: record.copied_at,
    })
  })
})
