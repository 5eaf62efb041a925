import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { findInstallations } from '../../src/postgres/programs/find.js'
import { type ArchivedWal, readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { findArchiveEnd } from '../../src/wal-reading/archive-end.js'
import { parseCommit } from '../../src/wal-reading/wal-dump.js'
import { formatLsn, parseLsn } from '../../src/wal-segments/lsn.js'
import { aContext, thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, oldestAndNewest } from '../helpers/programs.js'
import { type ReceivedWal, receivedWal } from '../helpers/received-wal.js'
import type { TestServer } from '../helpers/server.js'

const mb = 1024 ** 2
const place = aDirectory('pgbk-desk-')

async function endOf(wal: ArchivedWal, major: number, from?: bigint) {
  const env = { PATH: process.env.PATH, TMPDIR: place }
  const installations = await findInstallations(undefined, aContext({ env }))
  const signal = new AbortController().signal
  try {
    return await findArchiveEnd({ wal, major, installations, env, signal, from })
  } finally {
    expect(readdirSync(place)).toEqual([])
  }
}

interface Row {
  lsn: string
  /** Milliseconds before and after its commit. */
  from: number
  to: number
}

/** A row's transaction: where its WAL ends, and between which moments it was committed. */
async function aRow(server: TestServer): Promise<Row> {
  const from = Date.now()
  await server.sql('insert into ledger (filler) values (1)')
  const to = Date.now()
  return { lsn: await server.sql('select pg_current_wal_insert_lsn()'), from, to }
}

const fillSegments = (server: TestServer, count: number) =>
  server.sql(`insert into ledger (filler) select repeat('x', 500) from generate_series(1, ${count * 1500})`)

describe.each(oldestAndNewest)('the end of an archive of PostgreSQL %i', (major) => {
  let received: ReceivedWal
  let last: Row
  beforeAll(async () => {
    const work = async (server: TestServer) => {
      await fillSegments(server, 3)
      last = await aRow(server)
    }
    received = await receivedWal({ major, settings: { autovacuum: 'off' } }, work)
  })

  it('is the last record, and the last commit with its time', async () => {
    const wal = received.read()
    expect(wal.chain.length).toBeGreaterThanOrEqual(3)
    expect(wal.chain.at(-1)?.form).toBe('partial')
    const { record, commit } = await endOf(wal, major)
    expect(record.timeline).toBe(1)
    expect(parseLsn(record.endLsn)).toBeGreaterThanOrEqual(parseLsn(last.lsn))
    expect(parseLsn(commit?.lsn ?? '0/0')).toBeLessThan(parseLsn(last.lsn))
    expect(commit?.time).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    const at = Date.parse(commit?.time ?? '')
    expect([at, at >= last.from, at <= last.to]).toEqual([at, true, true])
  })
})

describe('the end of an archive', () => {
  const major = anyMajor
  let received: ReceivedWal
  let last: Row
  beforeAll(async () => {
    const work = async (server: TestServer) => {
      await fillSegments(server, 4)
      last = await aRow(server)
      // Records that fill whole segments, and end no transaction.
      await server.sql(
        "select pg_switch_wal(); select pg_logical_emit_message(false, 'x', repeat('y', 2500000)) from generate_series(1, 2); checkpoint",
      )
    }
    received = await receivedWal({ major, settings: { autovacuum: 'off' } }, work)
  })

  /** A copy of the archive, up to so many segments of its chain, with one of them changed. */
  function aCopy(change: (directory: string, names: string[]) => void, segments?: number): ArchivedWal {
    const wal = received.read()
    const directory = aDirectory()
    const chain = wal.chain.slice(0, segments)
    for (const { directory: from, file } of chain) copyFileSync(join(from, file), join(directory, file))
    change(
      directory,
      chain.map(({ file }) => join(directory, file)),
    )
    const needs = {
      timeline: 1,
      start_lsn: received.startLsn,
      stop_lsn: received.startLsn,
      wal_segment_size: mb,
    }
    return readArchivedWal(directory, { ...needs, stop_lsn: formatLsn(parseLsn(received.startLsn) + 1n) })
  }

  const pack = (path: string) => {
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)))
    rmSync(path)
  }
  const overwrite = (path: string, from: number, bytes: number, value: number) => {
    const content = readFileSync(path)
    content.fill(value, from, from + bytes)
    writeFileSync(path, content)
  }

  it('finds a commit that is many segments back', async () => {
    const wal = received.read()
    const { record, commit } = await endOf(wal, major)
    expect(parseLsn(record.startLsn) - parseLsn(commit?.lsn ?? '0/0')).toBeGreaterThan(3n * BigInt(mb))
    expect(parseLsn(commit?.lsn ?? '0/0')).toBeLessThan(parseLsn(last.lsn))
    expect(parseLsn(last.lsn) - parseLsn(commit?.lsn ?? '0/0')).toBeLessThan(8192n)
  })

  it('does not look before the segment that the caller names', async () => {
    const wal = received.read()
    expect((await endOf(wal, major, wal.chain.at(-2)?.segment)).commit).toBeUndefined()
  })

  it('is the same with every finished segment compressed', async () => {
    const packed = aCopy((_, paths) => paths.filter((path) => !path.endsWith('.partial')).forEach(pack))
    expect(packed.chain[0]?.form).toBe('gzip')
    expect(await endOf(packed, major)).toEqual(await endOf(received.read(), major))
  })

  it('of finished segments only is the last record that is whole, however the next one goes on', async () => {
    for (const count of [1, 2, 3, 4]) {
      const wal = aCopy(() => {}, count)
      expect(wal.chain).toHaveLength(count)
      const { record } = await endOf(wal, major)
      const end = (wal.chain.at(-1)?.segment ?? 0n) * BigInt(mb) + BigInt(mb)
      expect(parseLsn(record.endLsn)).toBeLessThanOrEqual(end)
      expect(parseLsn(record.endLsn)).toBeGreaterThan(end - 16384n)
    }
  })

  it('is that of the segment before when the last one is still empty', async () => {
    const wal = aCopy((_, [first = '', second = '']) => {
      writeFileSync(`${second}.partial`, Buffer.alloc(mb))
      rmSync(second)
      expect(first).toBeTruthy()
    }, 2)
    expect(wal.chain.at(-1)?.form).toBe('partial')
    const one = aCopy(() => {}, 1)
    expect(await endOf(wal, major)).toEqual(await endOf(one, major))
  })

  it('is where an unfinished segment stops making sense', async () => {
    const wal = aCopy((directory, paths) => {
      const path = paths.at(-1) ?? ''
      writeFileSync(`${path}.partial`, readFileSync(path))
      rmSync(path)
      overwrite(`${path}.partial`, 300_000, mb - 300_000, 0)
      expect(directory).toBeTruthy()
    }, 3)
    const { record } = await endOf(wal, major)
    const begin = (wal.chain.at(-1)?.segment ?? 0n) * BigInt(mb)
    expect(parseLsn(record.endLsn)).toBeLessThanOrEqual(begin + 300_000n)
    expect(parseLsn(record.endLsn)).toBeGreaterThan(begin + 290_000n)
  })

  const faults: [string, (path: string) => void][] = [
    ['zeroed in its middle', (path) => overwrite(path, 500_000, 10_000, 0)],
    ['zeroed to its end', (path) => overwrite(path, 500_000, mb - 500_000, 0)],
    ['zeroed as a whole', (path) => overwrite(path, 0, mb, 0)],
    ['flipped in some bits', (path) => overwrite(path, 500_000, 3, 0xa5)],
  ]
  it.each(faults)('names a segment in the middle that is %s', async (_, change) => {
    for (const index of [1, 2]) {
      let name = ''
      const wal = aCopy((_directory, paths) => {
        name = (paths[index] ?? '').slice(-24)
        change(paths[index] ?? '')
      }, 4)
      const error = await thrownBy(() => endOf(wal, major))
      expect({ index, code: error.code, message: error.message }).toEqual({
        index,
        code: 'damaged',
        message: expect.stringContaining(name),
      })
    }
  })

  it('names a finished last segment that is cut off by zeros, and a compressed one that is no gzip file', async () => {
    const cut = aCopy((_, paths) => overwrite(paths.at(-1) ?? '', 500_000, mb - 500_000, 0), 3)
    expect(await thrownBy(() => endOf(cut, major))).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(cut.chain.at(-1)?.name ?? '?'),
    })
    const broken = aCopy((_, paths) => {
      pack(paths.at(-1) ?? '')
      overwrite(`${paths.at(-1)}.gz`, 1000, 1000, 1)
    }, 3)
    expect(await thrownBy(() => endOf(broken, major))).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(broken.chain.at(-1)?.name ?? '?'),
    })
  })

  it('cannot be found without pg_waldump of that major, which the error says', async () => {
    const error = await thrownBy(() => endOf(received.read(), 12))
    expect(error).toMatchObject({
      code: 'programs-missing',
      message: expect.stringContaining('pg_waldump 12'),
    })
  })
})

describe('parseCommit', () => {
  const line = (desc: string) =>
    `rmgr: Transaction len (rec/tot):     42/    42, tx:          0, lsn: 0/00959050, prev 0/00958F60, desc: ${desc}`
  it.each([
    'COMMIT 2026-11-21 13:29:11.220997 UTC',
    'COMMIT 2026-11-21 13:29:11.220997 UTC; inval msgs: catcache 51 catcache 50',
    'ABORT 2026-11-21 13:29:11.220997 UTC',
    'COMMIT_PREPARED 489: 2026-11-21 13:29:11.220997 UTC',
    'ABORT_PREPARED 491: 2026-11-21 13:29:11.220997 UTC',
  ])('reads %s', (desc) => {
    expect(parseCommit(line(desc))).toEqual({ lsn: '0/959050', time: '2026-11-21T13:29:11.220997Z' })
  })
  it('reads nothing from nothing', () => expect(parseCommit('')).toBeUndefined())
})
