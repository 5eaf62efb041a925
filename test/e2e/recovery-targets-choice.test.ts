import { existsSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { parseLsn, parseSegmentName } from '../../src/wal-segments/lsn.js'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery, write } from '../helpers/ledger.js'
import { failureOf, localRun } from '../helpers/local-run.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { receive } from '../helpers/received-wal.js'

const mb = 1024 ** 2

describe('of three backups', () => {
  let ledger: Ledger
  let backups: MadeBackup[]
  /** The last row before each backup, and the last of all. */
  const rows: Entry[] = []
  beforeAll(async () => {
    ledger = await aLedger({ major: anyMajor, rows: 5 })
    const { server, root, backup } = ledger
    backups = [backup]
    await receive(server, walOf(backup), async () => {
      for (const _ of [1, 2]) {
        rows.push(ledger.entries.at(-1) as Entry)
        await sleep(1100 - (Date.now() % 1000))
        backups.push(await aBackupOf(server, { root }))
        await write(ledger, 5)
      }
      rows.push(ledger.entries.at(-1) as Entry)
    })
    for (const { directory } of backups.slice(1))
      await run(['sh', '-c', `cp -n "${walOf(backup)}"/* "${join(directory, 'wal')}"`])
  })
  const walOf = ({ directory }: MadeBackup) => join(directory, 'wal')
  const first = () => ledger.entries[0] as Entry
  const afterSecond = () => ledger.entries.find(({ n }) => n === (rows[0]?.n ?? 0) + 2) as Entry

  /** Which backup is taken, by its number, to the rows up to this one. */
  async function taken(args: string[], row: number): Promise<number> {
    const { stdout } = await localRun(ledger.root, ['--dry-run', '--json', ...args])
    const id = JSON.parse(stdout).plan?.backup
    const copy = await localRun(ledger.root, [...args, '--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery])
    expect(copy.stdout).toBe(answerAt(row))
    return backups.findIndex(({ record }) => record.id === id) + 1
  }

  it('the newest is taken whose snapshot ends before the time', async () => {
    expect(await taken(['--to-time', first().time], first().n)).toBe(1)
    expect(await taken(['--to-time', afterSecond().time], afterSecond().n)).toBe(2)
    const last = rows.at(-1) as Entry
    expect(await taken(['--to-time', last.time], last.n)).toBe(3)
  })

  it('the same goes for an LSN, a transaction and a restore point', async () => {
    expect(await taken(['--to-lsn', first().lsn], first().n)).toBe(1)
    expect(await taken(['--to-xid', afterSecond().xid], afterSecond().n)).toBe(2)
    const [name, row] = [...ledger.points].at(-1) as [string, number]
    expect(await taken(['--to-name', name], row)).toBe(2)
  })

  it('the newest is taken to the end of its archive', async () => {
    expect(await taken(['--to-latest'], rows.at(-1)?.n ?? 0)).toBe(3)
  })

  it('the newest goes there through an older archive when it has not taken over that one', async () => {
    const { record, directory } = backups[2] as MadeBackup
    const wal = join(directory, 'wal')
    const own = parseLsn(record.stop_lsn) - 1n
    const isLater = (name: string) =>
      (parseSegmentName(name.slice(0, 24), mb)?.segment ?? 0n) > own / BigInt(mb)
    const later = readdirSync(wal).filter(isLater)
    expect(later).not.toEqual([])
    const away = aDirectory()
    await run(['sh', '-c', 'mv "$@"', 'sh', ...later.map((name) => join(wal, name)), away])
    try {
      expect(await taken(['--to-latest'], rows.at(-1)?.n ?? 0)).toBe(3)
    } finally {
      await run(['sh', '-c', 'mv "$@"', 'sh', ...later.map((name) => join(away, name)), wal])
    }
  })

  it('the snapshot alone is as of its own end, not that of its verification', async () => {
    const { record } = backups[2] as MadeBackup
    const { stdout } = await localRun(ledger.root, ['--dry-run', '--json'])
    expect(JSON.parse(stdout).plan).toMatchObject({
      as_of: record.copied_at,
      archive_until: record.copied_at,
    })
    const { time: before } = rows[1] as Entry
    expect([before, record.copied_at, record.finished_at].sort()).toEqual([
      before,
      record.copied_at,
      record.finished_at,
    ])
    expect(record.copied_at).not.toBe(record.finished_at)
  })

  it('an older one is taken when it is named, through the snapshots of the others', async () => {
    const last = rows.at(-1) as Entry
    const args = [backups[0]?.record.id ?? '', '--to-time', last.time]
    expect(await taken(args, last.n)).toBe(1)
  })

  it('the newest is taken when another archive has what its own lacks; a break in all of them is named', async () => {
    const last = rows.at(-1) as Entry
    const archives = backups.map(walOf)
    const whole = readdirSync(archives[2] ?? '').filter((name) => /^[0-9A-F]{24}$/.test(name))
    const missing = whole.sort().at(-1) ?? ''
    const takeAway = (wal: string) => renameSync(join(wal, missing), join(wal, 'away'))
    const putBack = (wal: string) =>
      existsSync(join(wal, 'away')) && renameSync(join(wal, 'away'), join(wal, missing))
    try {
      takeAway(archives[2] ?? '')
      expect(await taken(['--to-time', last.time], last.n)).toBe(3)
      for (const wal of archives.slice(0, 2)) takeAway(wal)
      const args = [backups[2]?.record.id ?? '', '--to-time', last.time]
      const { message, hint } = await failureOf(ledger.root, args)
      expect(`${message}\n${hint}`).toMatch(new RegExp(`the archive is broken at ${missing}`))
    } finally {
      archives.forEach(putBack)
    }
  })

  it('all are named with their times when none leads there', async () => {
    const { hint } = await failureOf(ledger.root, ['--to-xid', '4000000'])
    for (const { record } of backups) expect(hint).toContain(record.id)
    const early = await failureOf(ledger.root, ['--to-time', '2020-01-01T00:00Z'])
    expect(early.hint).toContain(backups[0]?.record.id)
  })
})
