import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { formatLsn, parseLsn } from '../../src/wal-segments/lsn.js'
import { aTwinOf } from '../helpers/backup.js'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery } from '../helpers/ledger.js'
import { failureOf, localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { openSnapshot } from '../helpers/server.js'
import { fingerprint } from '../helpers/tree.js'

const mb = 1024 ** 2
let ledger: Ledger
let other: Ledger
let wal: string
beforeAll(async () => {
  ;[ledger, other] = await Promise.all([
    aLedger({ major: anyMajor, rows: 40 }),
    aLedger({ major: anyMajor, rows: 40 }),
  ])
  wal = join(ledger.backup.directory, 'wal')
})
const entryAt = (index: number) => ledger.entries.at(index) as Entry
const ask = ['--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery]

/** The error of a local-run that must not have changed anything. */
async function refusal(args: string[], env: Record<string, string> = {}) {
  const before = fingerprint(ledger.root)
  const error = await failureOf(ledger.root, args, { env })
  expect(fingerprint(ledger.root)).toBe(before)
  return { ...error, text: `${error.message}\n${error.hint}` }
}

describe('refused, with the reason and what can be reached instead, is', () => {
  const micros = (time: string, more: bigint) => {
    const all = BigInt(Date.parse(time)) * 1000n + BigInt(time.slice(23, 26)) + more
    return `${new Date(Number(all / 1000n)).toISOString().slice(0, 23)}${String(all % 1000n).padStart(3, '0')}Z`
  }
  const moments: [string, () => string[], RegExp][] = [
    [
      'a time before the snapshot',
      () => ['--to-time', '2020-01-01T00:00:00Z'],
      /before the end of its snapshot/,
    ],
    [
      'a time just before its end',
      () => ['--to-time', micros(ledger.backup.record.finished_at.replace('Z', '000Z'), -1n)],
      /before the end of its snapshot/,
    ],
    [
      'a time just after the last commit',
      () => ['--to-time', micros(lastCommit(), 1n)],
      /no WAL after .* was archived[\s\S]*pgbk wal receive/,
    ],
    [
      'a time that has not come',
      () => ['--to-time', '2999-01-01T00:00:00Z'],
      /has not come yet[\s\S]*What can be reached:\s+\d{8}T\d{6}Z: .* to .*; no WAL after/,
    ],
    [
      'a time that the named backup does not lead to',
      () => [ledger.backup.record.id, '--to-time', '2020-01-01T00:00:00Z'],
      /backup \d{8}T\d{6}Z cannot be taken to/,
    ],
    ['an LSN before the snapshot', () => ['--to-lsn', '0/1000'], /before the end of its snapshot, 0\//],
    [
      'an LSN just before its end',
      () => ['--to-lsn', formatLsn(parseLsn(ledger.backup.record.stop_lsn) - 1n)],
      /before the end of its snapshot/,
    ],
    ['an LSN behind the archive', () => ['--to-lsn', 'FF/0'], /the archive ends at the LSN 0\//],
    [
      'an unknown transaction',
      () => ['--to-xid', '4000000'],
      /transaction 4000000 has no end in the archive/,
    ],
    [
      'a beginning of a transaction',
      () => ['--to-xid', entryAt(0).xid.slice(0, 2)],
      /has no end in the archive/,
    ],
    ['an unknown restore point', () => ['--to-name', 'after row'], /no restore point \\?"after row\\?"/],
    ['an unknown timeline', () => ['--to-latest', '--timeline', '7'], /does not lead to timeline 7/],
  ]
  const lastCommit = () => {
    // Each row is followed by the time of its own commit only; noise may have been committed later.
    return latest
  }
  let latest = ''
  beforeAll(async () => {
    const { stdout } = await localRun(ledger.root, ['--to-latest', '--dry-run', '--json'])
    latest = JSON.parse(stdout).plan.archive_until
  })

  it.each(moments)('%s', async (_, args, reason) => {
    const { status, code, text } = await refusal(args())
    expect({ status, code, text }).toEqual({ status: 2, code: 'usage', text: expect.stringMatching(reason) })
  })

  it('but the first and the last moment are reached', async () => {
    const first = await localRun(ledger.root, ['--to-time', ledger.backup.record.finished_at, ...ask])
    expect(first.stdout).toBe(answerAt(1))
    const atStop = await localRun(ledger.root, ['--to-lsn', ledger.backup.record.stop_lsn, ...ask])
    expect(atStop.stdout).toBe(answerAt(1))
    const last = await localRun(ledger.root, ['--to-time', latest, ...ask])
    expect(last.stdout).toBe(answerAt(entryAt(-1).n))
  })
})

describe('a time without a zone', () => {
  it('is read by the zone of TZ, or of time_zone, and said so', async () => {
    const { time } = entryAt(20)
    const there = new Date(Date.parse(time) - 3 * 3_600_000).toISOString().slice(0, 23)
    const args = ['--to-time', there + time.slice(23, 26), '--dry-run', '--json']
    const inTz = await localRun(ledger.root, args, { env: { TZ: 'America/Sao_Paulo' } })
    expect(inTz.stderr).toMatch(/is taken as local time in America\/Sao_Paulo/)
    const config = join(aDirectory(), 'pgbk.yaml')
    writeFileSync(config, 'time_zone: America/Sao_Paulo\n', { mode: 0o644 })
    const inZone = await localRun(ledger.root, [...args, '--config', config], { env: { TZ: 'Asia/Tokyo' } })
    for (const { stdout } of [inTz, inZone]) expect(JSON.parse(stdout).plan.as_of).toBe(time)
  })

  it('is refused by restore, where nobody can look at what was made of it', async () => {
    const before = fingerprint(ledger.root)
    const args = ['restore', '-C', ledger.root, '--to-time', '2026-01-01 12:00']
    const { status, stderr } = await runPgbk(args, { env: { TZ: 'Europe/Berlin' } })
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringMatching(/has no time zone[\s\S]*2026-01-01T11:00:00Z/),
    })
    expect(fingerprint(ledger.root)).toBe(before)
  })

  it.each([
    ['2026-03-29 02:30', /does not exist in Europe\/Berlin/],
    ['2026-10-25 02:30', /happened twice[\s\S]*00:30:00Z[\s\S]*01:30:00Z/],
  ])('that the clocks skip or have twice is refused: %s', async (time, reason) => {
    const { text } = await refusal(['--to-time', time], { TZ: 'Europe/Berlin' })
    expect(text).toMatch(reason)
  })
})

describe('an archive with a segment', () => {
  /** The complete segments after the snapshot's own. */
  const segments = () =>
    readdirSync(wal)
      .filter((name) => /^[0-9A-F]{24}$/.test(name))
      .sort()
      .slice(1)
  const overwrite = (path: string, from: number, bytes: number, value: number) => {
    const content = readFileSync(path)
    content.fill(value, from, from + bytes)
    writeFileSync(path, content)
  }
  /** Work on the archive while the segment with this index is changed. */
  async function damaged(
    index: number,
    change: (path: string) => void,
    work: (name: string) => Promise<void>,
  ) {
    const saved = join(aDirectory(), 'wal')
    await run(['cp', '-a', wal, saved])
    const name = segments().at(index) ?? ''
    try {
      change(join(wal, name))
      await work(name)
    } finally {
      rmSync(wal, { recursive: true })
      await run(['cp', '-a', saved, wal])
    }
  }
  /** The last row that was committed before a segment, and the first after it. */
  const around = (name: string) => {
    const start = BigInt(`0x${name.slice(16)}`) * BigInt(mb)
    const before = ledger.entries.findLast(({ lsn }) => parseLsn(lsn) < start) as Entry
    const after = ledger.entries.find(({ lsn }) => parseLsn(lsn) > start + 2n * BigInt(mb)) as Entry
    return { before, after }
  }
  /** What befalls it, what is said of that, and whether a server is also really taken up to there: one for each way in which it ends. */
  const damages: [string, (path: string) => void, RegExp, boolean][] = [
    ['missing', (path) => rmSync(path), /is missing/, true],
    ['truncated', (path) => truncateSync(path, 500_000), /500000 bytes instead of/, false],
    ['zeroed in the middle', (path) => overwrite(path, 500_000, 20_000, 0), /is damaged/, true],
    ['zeroed as a whole', (path) => overwrite(path, 0, mb, 0), /does not begin with a page of WAL/, false],
    ['with flipped bits', (path) => overwrite(path, 500_000, 3, 0xa5), /is damaged/, true],
    [
      'of another place',
      (path) => copyFileSync(join(path, '..', segments().at(-1) ?? ''), path),
      /another segment/,
      false,
    ],
    ['of another cluster', (path) => copyFileSync(foreign(path), path), /from another cluster/, false],
    ['that is no gzip file', (path) => renameSync(path, `${path}.gz`), /damaged/, false],
    ['that is a cut off gzip file', cutOff, /damaged/, true],
  ]
  const foreign = (path: string) => join(other.backup.directory, 'wal', path.slice(-24))
  function cutOff(path: string) {
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)).subarray(0, 5000))
    rmSync(path)
  }

  it.each(damages)('%s is told, and nothing behind it reached', async (_, change, reason) => {
    await damaged(5, change, async (name) => {
      const { before, after } = around(name)
      // Notes what is damaged; the refusal changes nothing more.
      const planned = await localRun(ledger.root, ['--to-latest', '--dry-run', '--json'])
      expect(planned.stderr).toMatch(/the WAL archive is broken/)
      expect(planned.stderr).toMatch(reason)
      const end = Date.parse(JSON.parse(planned.stdout).plan.archive_until)
      expect(end).toBeGreaterThanOrEqual(Date.parse(before.time))
      expect(end).toBeLessThan(Date.parse(after.time))
      const { status, text } = await refusal(['--to-time', after.time])
      expect({ status, text }).toEqual({ status: 2, text: expect.stringMatching(reason) })
      expect(text).toContain(name)
      expect(text).not.toContain('archive of the newest backup grows')
      const [, until = ''] = / to (\S+ \S+) UTC/.exec(text) ?? []
      expect(Date.parse(`${until}Z`)).toBeLessThanOrEqual(Date.parse(after.time))
    })
  })

  it.each(damages.filter(([, , , isReplayed]) => isReplayed))(
    '%s is replayed up to there, and to moments before it',
    async (_, change, reason) => {
      await damaged(5, change, async (name) => {
        const { before, after } = around(name)
        const good = await localRun(ledger.root, ['--to-time', before.time, ...ask])
        expect(good.stdout).toBe(answerAt(before.n))
        const latest = await localRun(ledger.root, ['--to-latest', ...ask])
        expect(latest.stderr).toMatch(/the WAL archive is broken/)
        expect(latest.stderr).toMatch(/^Data as of /m)
        expect(latest.stderr).toMatch(reason)
        const [rows = 0] = latest.stdout.split('|').map(Number)
        expect(rows).toBeGreaterThanOrEqual(before.n)
        expect(rows).toBeLessThan(after.n)
      })
    },
  )

  it('at its end that is damaged keeps nobody from what is before', async () => {
    const cut = (path: string) => {
      rmSync(join(wal, readdirSync(wal).find((name) => name.endsWith('.partial')) ?? '-'))
      overwrite(path, 300_000, mb - 300_000, 0xff)
    }
    await damaged(-1, cut, async (name) => {
      const { before } = around(name)
      const { stdout } = await localRun(ledger.root, ['--to-xid', before.xid, ...ask])
      expect(stdout).toBe(answerAt(before.n))
      const latest = await localRun(ledger.root, ['--to-latest', ...ask])
      expect(Number(latest.stdout.split('|')[0])).toBeGreaterThanOrEqual(before.n)
      expect(latest.stderr).toMatch(/is damaged/)
    })
  })
})

describe('a used snapshot', () => {
  it('is not taken to a moment, nor restored, and another backup is chosen', async () => {
    const twin = await aTwinOf(ledger.backup, '20200101T000000Z')
    const open = await openSnapshot(twin.snapshot, anyMajor)
    await open.stop()
    const { time, n } = entryAt(5)
    const { status, text } = await refusal(['20200101T000000Z', '--to-time', time])
    expect({ status, text }).toEqual({ status: 1, text: expect.stringMatching(/is used/) })
    const restored = await runPgbk(['restore', '-C', ledger.root, '20200101T000000Z'])
    expect({ status: restored.status, text: restored.stderr }).toEqual({
      status: 1,
      text: expect.stringMatching(/is used/),
    })
    const { stdout } = await localRun(ledger.root, ['--to-time', time, ...ask])
    expect(stdout).toBe(answerAt(n))
    const early = await refusal(['--to-time', '2020-01-02T00:00:00Z'])
    expect(early.text).toMatch(new RegExp(`What can be reached:\\s+${ledger.backup.record.id}: `))
    expect(early.text).toContain('1 used backup is left out')
  })
})
