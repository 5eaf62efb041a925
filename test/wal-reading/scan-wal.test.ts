import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { type ArchivedWal, readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { SegmentNotes } from '../../src/wal-archive/notes/segment-notes.js'
import { findArchiveEnd } from '../../src/wal-reading/archive-end.js'
import type { RecordQuery } from '../../src/wal-reading/find-record.js'
import { scanWal } from '../../src/wal-reading/scan-wal.js'
import { formatLsn, parseLsn } from '../../src/wal-segments/lsn.js'
import { randomNumbers, seed } from '../helpers/chance.js'
import { aDirectory } from '../helpers/places.js'
import { binOf, oldestAndNewest, run } from '../helpers/programs.js'
import { type ReceivedWal, receivedWal } from '../helpers/received-wal.js'
import type { TestServer } from '../helpers/server.js'

const mb = 1024 ** 2

/** What planning asks for: parts of transactions, prepared ones, long records, a switch, and what is dangerous. */
async function work(server: TestServer): Promise<void> {
  const space = join(server.directory, 'space')
  await run(['mkdir', space])
  const filler = "insert into ledger (filler) select repeat('x', 500) from generate_series(1, 900);"
  const parts =
    'begin; savepoint a; insert into ledger values (1); savepoint b; insert into ledger values (2); commit;'
  const prepared = (name: string) =>
    `begin; insert into ledger values (3); savepoint a; insert into ledger values (4); prepare transaction '${name}';`
  const long = "select pg_logical_emit_message(false, 'x', repeat('y', 2500000));"
  await server.sql(`${filler} ${parts} ${prepared('one')} select pg_create_restore_point('again');`)
  await server.sql(`create tablespace later location '${space}'`)
  await server.sql(
    `${filler} ${filler} rollback prepared 'one'; begin; insert into ledger values (5); rollback;`,
  )
  await server.sql(`${prepared('two')} ${long} commit prepared 'two'; ${parts} select pg_switch_wal();`)
  await server.sql('alter system set max_connections = 150')
  await server.stop('fast')
  await server.start()
  await server.sql(`${filler} ${parts} select pg_create_restore_point('again'); ${filler} ${parts} ${filler}`)
}

/** pg_waldump of a server whose clock jumps up to a minute, forth and back, from commit to commit. */
function jumpingClock(major: number): string {
  const bin = aDirectory()
  const digits = '"0123456789ABCDEF"'
  const program = `match($0, /desc: (COMMIT|ABORT)/) && match($0, /lsn: [0-9A-F]+\\/[0-9A-F]+/) {
    h = substr($0, RSTART + RLENGTH - 3, 2)
    n = (index(${digits}, substr(h, 1, 1)) * 16 + index(${digits}, substr(h, 2, 1))) % 60
    if (match($0, /:[0-9][0-9]\\.[0-9]+ UTC/)) $0 = substr($0, 1, RSTART) sprintf("%02d", n) substr($0, RSTART + 3)
  } { print }`
  writeFileSync(join(bin, 'jump.awk'), program)
  const script = `#!/bin/sh\n${binOf(major)}/pg_waldump "$@" | awk -f ${bin}/jump.awk\n`
  writeFileSync(join(bin, 'pg_waldump'), script, { mode: 0o755 })
  return bin
}

interface WalRecord {
  lsn: string
  line: string
  time: string | undefined
}

/** All records of a chain, as pg_waldump itself tells them, up to where it ends. */
function recordsOf({ chain }: ArchivedWal, bin: string): WalRecord[] {
  const directory = aDirectory()
  for (const { directory: from, file, name } of chain) {
    const bytes = readFileSync(join(from, file))
    const unpacked = file.endsWith('.gz')
      ? execaSync('gzip', ['-dc', join(from, file)], { encoding: 'buffer' }).stdout
      : bytes
    writeFileSync(join(directory, name), unpacked)
  }
  const range = [chain[0]?.name ?? '', chain.at(-1)?.name ?? '']
  const { stdout } = execaSync(join(bin, 'pg_waldump'), ['--path', directory, ...range], {
    reject: false,
    env: { TZ: 'UTC' },
    maxBuffer: 1 << 30,
  })
  return stdout.split('\n').flatMap((line) => {
    const lsn = / lsn: (\S+), prev /.exec(line)?.[1]
    const [, day, time] =
      /desc: (?:COMMIT|ABORT)\S* .*?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{6}) UTC/.exec(line) ?? []
    return lsn === undefined ? [] : [{ lsn: formatLsn(parseLsn(lsn)), line, time: day && `${day}T${time}Z` }]
  })
}

/** Where what is sought is, by looking at one record after the other. */
function expected(records: WalRecord[], query: RecordQuery): string | undefined {
  const isXid = (line: string, xid: string) =>
    / desc: (COMMIT|ABORT)/.test(line) &&
    (new RegExp(`, tx: +${xid}, .*desc: (COMMIT|ABORT) |_PREPARED ${xid}: `).test(line) ||
      (/; subxacts:([ 0-9]*)/.exec(line)?.[1] ?? '').split(' ').includes(xid))
  const isSought = ({ lsn, line, time = '' }: WalRecord): boolean => {
    if (query.kind === 'commit') return time > query.after || (query.orAt && time === query.after)
    if (query.kind === 'xid') return isXid(line, query.xid)
    if (query.kind === 'lsn') return parseLsn(lsn) >= parseLsn(query.lsn)
    return line.endsWith(`RESTORE_POINT ${query.name}`) && parseLsn(lsn) >= parseLsn(query.from)
  }
  return records.find(isSought)?.lsn
}

/** Every restore point, and random queries of each other kind, some of them with nothing there. */
function queriesIn(records: WalRecord[], name: string): RecordQuery[] {
  const times = records.flatMap(({ time }) => (time === undefined ? [] : [time]))
  const ends = records.filter(({ time }) => time !== undefined)
  const xids = ends.flatMap(({ line }) => [
    /, tx: +(\d+),/.exec(line)?.[1] ?? '',
    ...(/_PREPARED (\d+)/.exec(line)?.slice(1) ?? []),
    ...(/; subxacts:([ 0-9]*)/.exec(line)?.[1] ?? '').split(' '),
  ])
  const some = <T>(list: T[], kind: string) =>
    randomNumbers(4, list.length, `${name} ${kind}`).map((at) => list[at] as T)
  const points = records.filter(({ line }) => line.endsWith('RESTORE_POINT again'))
  return [
    ...some(times, 'time').flatMap((after, at): RecordQuery[] => [
      { kind: 'commit', after, orAt: at % 2 === 0 },
    ]),
    { kind: 'commit', after: '2999-01-01T00:00:00.000000Z', orAt: false },
    ...some(
      xids.filter((xid) => xid !== '' && xid !== '0'),
      'xid',
    ).map((xid): RecordQuery => ({ kind: 'xid', xid })),
    { kind: 'xid', xid: '4000000000' },
    ...points.map(({ lsn }): RecordQuery => ({ kind: 'name', name: 'again', from: lsn })),
    { kind: 'name', name: 'again', from: '0/0' },
    { kind: 'name', name: 'never', from: '0/0' },
    ...some(records, 'lsn').map(
      ({ lsn }, at): RecordQuery => ({ kind: 'lsn', lsn: formatLsn(parseLsn(lsn) - BigInt(8 * (at % 2))) }),
    ),
  ]
}

describe.each(oldestAndNewest)('a look at WAL of PostgreSQL %i', (major) => {
  let received: ReceivedWal
  let system: string
  beforeAll(async () => {
    const settings = { autovacuum: 'off', max_prepared_transactions: '5' }
    received = await receivedWal({ major, settings }, work)
    system = await received.server.sql('select system_identifier from pg_control_system()')
  })

  /** The archive with every other segment compressed, in a root of its own. */
  function anArchive() {
    const backups = aDirectory()
    const directory = join(backups, 'one/wal')
    mkdirSync(directory, { recursive: true })
    received.read().chain.forEach(({ directory: from, file, form }, index) => {
      if (form === 'raw' && index % 2 === 0)
        writeFileSync(join(directory, `${file}.gz`), gzipSync(readFileSync(join(from, file))))
      else copyFileSync(join(from, file), join(directory, file))
    })
    const begin = parseLsn(received.startLsn)
    const needs = {
      timeline: 1,
      start_lsn: received.startLsn,
      stop_lsn: formatLsn(begin + 1n),
      wal_segment_size: mb,
    }
    return { backups, directory, read: () => readArchivedWal(directory, needs) }
  }

  function searchIn({ read }: ReturnType<typeof anArchive>, bin: string, notes?: SegmentNotes) {
    const installations = [{ bin, major, version: String(major) }]
    const env = { PATH: process.env.PATH, TMPDIR: aDirectory() }
    const signal = new AbortController().signal
    return { wal: read(), major, installations, env, signal, systemIdentifier: system, notes }
  }

  const clock = major === Math.max(...oldestAndNewest) ? 'a clock that jumps' : 'its own clock'
  it(`finds the same with notes, without, and record by record, by ${clock} (seed ${seed})`, async () => {
    const bin = clock === 'its own clock' ? binOf(major) : jumpingClock(major)
    const archive = anArchive()
    const notes = () => new SegmentNotes(archive.backups, 0)
    const end = await findArchiveEnd(searchIn(archive, bin))
    const search = (book?: SegmentNotes) => ({ ...searchIn(archive, bin, book), endLsn: end.record.endLsn })
    const all = await scanWal(search(notes()))
    expect(existsSync(join(archive.directory, '.pgbk-segments'))).toBe(true)
    const { chain } = archive.read()
    const known = notes().factsOf({ chain }, system)
    // The last two never are: the one that is being received, and the one that may go on in it.
    expect(known.filter((one) => one !== undefined).length).toBeGreaterThanOrEqual(chain.length - 6)
    expect(await findArchiveEnd({ ...search(notes()) })).toEqual(end)
    expect(await scanWal(search(notes()))).toEqual({ ...all, noted: [archive.directory] })
    const records = recordsOf(archive.read(), bin)
    for (const query of queriesIn(records, `${clock} ${major}`)) {
      const plain = await scanWal(search(), query)
      expect({ query, lsn: plain.position?.lsn }).toEqual({ query, lsn: expected(records, query) })
      expect({ query, ...(await scanWal(search(notes()), query)), noted: [] }).toEqual({ query, ...plain })
    }
  })

  it('tells of tablespaces and settings what lies on the way to a place, and no more', async () => {
    const archive = anArchive()
    const book = new SegmentNotes(archive.backups, 0)
    const bin = binOf(major)
    const records = recordsOf(archive.read(), bin)
    const made = records.find(({ line }) => /^rmgr: Tablespace .* CREATE /.test(line))?.lsn ?? ''
    const changed =
      records.find(({ line }) => line.includes('PARAMETER_CHANGE max_connections=150'))?.lsn ?? ''
    await scanWal(searchIn(archive, bin, book))
    for (const notes of [undefined, new SegmentNotes(archive.backups, 0)]) {
      const to = async (lsn: string) => scanWal(searchIn(archive, bin, notes), { kind: 'lsn', lsn })
      const before = (lsn: string) => records[records.findIndex((one) => one.lsn === lsn) - 1]?.lsn ?? ''
      const after = (lsn: string) => records[records.findIndex((one) => one.lsn === lsn) + 1]?.lsn ?? ''
      expect((await to(made)).tablespaces).toEqual([])
      expect((await to(after(made))).tablespaces).toEqual([
        { lsn: made, path: expect.stringMatching(/\/space$/) },
      ])
      expect((await to(before(changed))).minimums).not.toMatchObject({ max_connections: 150 })
      expect((await to(changed)).minimums).toMatchObject({ max_connections: 150 })
    }
  })

  it('reads what is not as it was noted, and tells its damage as ever', async () => {
    const archive = anArchive()
    const bin = binOf(major)
    await scanWal(searchIn(archive, bin, new SegmentNotes(archive.backups, 0)))
    const { chain } = archive.read()
    const raw = chain[1]
    const path = join(archive.directory, raw?.file ?? '')
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 500_000, 500_003)
    writeFileSync(path, bytes)
    const noted = await scanWal(searchIn(archive, bin, new SegmentNotes(archive.backups, 0)))
    expect(noted.damage?.reason).toMatch(/^it is damaged: /)
    rmSync(join(archive.directory, '.pgbk-segments'))
    const plain = await scanWal(searchIn(archive, bin))
    expect({ ...noted, noted: [] }).toEqual(plain)
    expect(chain[noted.damage?.index ?? -1]?.name).toBe(raw?.name)
    expect(readdirSync(archive.directory)).not.toContain('.pgbk-segments')
  })
})
