import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { LocalBackup } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import type { Settings } from '../../src/config/load.js'
import { findInstallations } from '../../src/postgres/programs/find.js'
import { planRecovery } from '../../src/recovery/plan-recovery.js'
import { deleteBackups } from '../../src/removal/delete.js'
import { walPool } from '../../src/wal-archive/wal-pool.js'
import { findWindows } from '../../src/wal-coverage/find-window.js'
import { lastSegmentBefore, parseLsn, parseSegmentName } from '../../src/wal-segments/lsn.js'
import { aContext } from '../catalog/samples.js'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { roundsOf } from '../helpers/chance.js'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery, write } from '../helpers/ledger.js'
import { localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { receive } from '../helpers/received-wal.js'

const mb = 1024 ** 2

/** What befalls a segment's file. */
const harms: Record<string, (path: string) => void> = {
  'bits flipped in its middle': (path) => change(path, (bytes) => bytes.fill(0xa5, 300_000, 300_010)),
  'bits flipped where its first record begins': (path) => change(path, (bytes) => bytes.fill(0x5a, 40, 60)),
  'its first page zeroed': (path) => change(path, (bytes) => bytes.fill(0, 0, 8192)),
  'a later page zeroed': (path) => change(path, (bytes) => bytes.fill(0, 40 * 8192, 41 * 8192)),
  'its end zeroed': (path) => change(path, (bytes) => bytes.fill(0, mb - 8192, mb)),
  truncated: (path) => truncateSync(path, 500_000),
  emptied: (path) => truncateSync(path, 0),
  'compressed and cut off': (path) => {
    const packed = gzipSync(readFileSync(path))
    writeFileSync(`${path}.gz`, packed.subarray(0, packed.length / 2))
    rmSync(path)
  },
  removed: (path) => rmSync(path),
}

function change(path: string, work: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path)
  work(bytes)
  writeFileSync(path, bytes)
}

describe('of two backups whose archives have the same segments', () => {
  let ledger: Ledger
  let backups: [MadeBackup, MadeBackup]
  let saved: string
  const last = () => ledger.entries.at(-1) as Entry
  const walOf = ({ directory }: MadeBackup) => join(directory, 'wal')
  const idOf = (index: number) => backups[index]?.record.id ?? ''
  const numberOf = (name: string) => parseSegmentName(name.slice(0, 24), mb)?.segment ?? -1n

  /** The older archive ends in the middle of the newer one. */
  async function distribute(all: string): Promise<void> {
    const begin = lastSegmentBefore(backups[1].record.stop_lsn, mb)
    const names = readdirSync(all).filter((name) => numberOf(name) >= 0n)
    for (const [index, backup] of backups.entries()) {
      const own = lastSegmentBefore(backup.record.stop_lsn, mb)
      for (const name of names) {
        if (numberOf(name) < own || (index === 0 && numberOf(name) > begin + 3n)) continue
        await run(['cp', '-p', join(all, name), walOf(backup)])
        if (!name.endsWith('.partial')) rmSync(join(walOf(backup), `${name}.partial`), { force: true })
      }
    }
  }

  beforeAll(async () => {
    ledger = await aLedger({ major: anyMajor, rows: 3 })
    const { server, root, backup } = ledger
    const all = join(aDirectory('pgbk-all-'), 'wal')
    await run(['cp', '-a', walOf(backup), all])
    await receive(server, all, async () => {
      await sleep(1100 - (Date.now() % 1000))
      backups = [backup, await aBackupOf(server, { root })]
      await write(ledger, 24)
    })
    await distribute(all)
    saved = aDirectory('pgbk-saved-')
    await run(['cp', '-a', join(root, 'data'), saved])
  }, 300_000)

  afterEach(async () => {
    rmSync(join(ledger.root, 'data'), { recursive: true })
    await run(['cp', '-a', join(saved, 'data'), ledger.root])
  })

  /** A segment that both have: the first one of the newer backup, or one after it. */
  const shared = (after: bigint) => {
    const begin = lastSegmentBefore(backups[1].record.stop_lsn, mb) + after
    return readdirSync(walOf(backups[0])).find((name) => numberOf(name) === begin) ?? ''
  }
  const context = aContext({ env: { PATH: process.env.PATH, TMPDIR: aDirectory() } })
  /** How far each backup reaches, by its window and by the plan of a recovery, the newest first. */
  const ends = async () => {
    const catalog = readCatalog(ledger.root)
    const windows = findWindows({ root: ledger.root }, catalog, context)
    const installations = await findInstallations(undefined, context)
    const reach = async (backup: LocalBackup) => {
      const window = await windows.windowOf(backup)
      const planning = { installations, pool: walPool(catalog), caughtUp: () => undefined }
      const { plan } = await planRecovery(backup, { point: { kind: 'latest' } }, planning, context)
      return [window?.to, window?.gap, plan?.asOf, plan?.damage]
    }
    return Promise.all(catalog.backups.map(reach))
  }
  const whole = (count: number) => Array(count).fill([last().time, undefined, last().time, undefined])
  const places = [
    { after: 0n, which: 0 },
    { after: 0n, which: 1 },
    { after: 1n, which: 0 },
    { after: 3n, which: 1 },
    { after: 3n, which: 0 },
  ]

  it.each(
    Object.keys(harms).flatMap((harm, index) =>
      places
        .filter((_, at) => (at + index) % places.length < roundsOf(1))
        .map((place) => ({ harm, ...place })),
    ),
  )(
    'both reach all that is in a sound copy: $harm, segment $after of archive $which',
    async (way) => {
      harms[way.harm]?.(join(walOf(backups[way.which] as MadeBackup), shared(way.after)))
      expect(await ends()).toEqual(whole(2))
      const settings = { root: ledger.root } as Settings
      await deleteBackups([idOf(1 - way.which)], { yes: true }, { settings, context })
      expect(await ends()).toEqual(whole(1))
    },
    300_000,
  )

  it.each(['bits flipped in its middle', 'truncated'])(
    'a sound compressed form beside it is taken where no other archive has one: %s',
    async (harm) => {
      const name = shared(1n)
      const paths = backups.map((backup) => join(walOf(backup), name))
      writeFileSync(`${paths[0]}.gz`, gzipSync(readFileSync(paths[0] ?? '')))
      for (const path of paths) harms[harm]?.(path)
      expect(await ends()).toEqual(whole(2))
      const psql = ['--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery]
      for (const id of [idOf(0), idOf(1)]) {
        const latest = await localRun(ledger.root, [id, '--to-latest', ...psql])
        expect(latest).toMatchObject({ status: 0, stdout: answerAt(last().n) })
      }
      const { stdout } = await runPgbk(['verify', idOf(0), '--json', '-C', ledger.root])
      expect(JSON.parse(stdout).checks[0].faults.map(({ file }: { file: string }) => file)).toEqual([
        `wal/${name}`,
      ])
      const settings = { root: ledger.root } as Settings
      await deleteBackups([idOf(0)], { yes: true }, { settings, context })
      expect(await ends()).toEqual(whole(1))
    },
    300_000,
  )

  it('an unfinished copy that reaches further is taken in the place of a finished one that is damaged', async () => {
    const name = shared(3n)
    const [older, newer] = backups.map((backup) => join(walOf(backup), name)) as [string, string]
    const begin = numberOf(name) * BigInt(mb)
    const most = (bytes: bigint) =>
      ledger.entries.findLast(({ lsn }) => parseLsn(lsn) < begin + bytes)?.time ?? ''
    expect(most(100_000n) < most(650_000n)).toBe(true)
    change(older, (bytes) => bytes.fill(0xa5, 100_000, 100_010))
    change(newer, (bytes) => bytes.fill(0, 700_000))
    renameSync(newer, `${newer}.partial`)
    for (const one of readdirSync(walOf(backups[1])))
      if (numberOf(one) > numberOf(name)) rmSync(join(walOf(backups[1]), one))
    const [, [to = '', gap, asOf] = []] = await ends()
    expect([to, gap]).toEqual([
      asOf,
      expect.objectContaining({ missing: name, reason: expect.stringMatching(/damaged/) }),
    ])
    expect(String(to) >= most(650_000n)).toBe(true)
    const settings = { root: ledger.root } as Settings
    await deleteBackups([idOf(1)], { yes: true }, { settings, context })
    expect((await ends())[0]?.[0]).toBe(to)
  }, 300_000)

  it('the first segment of the newer archive is taken from the older one, and verify says so', async () => {
    const name = shared(0n)
    rmSync(join(walOf(backups[1]), name))
    const psql = ['--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery]
    const latest = await localRun(ledger.root, [idOf(1), '--to-latest', ...psql])
    expect(latest).toMatchObject({ status: 0, stdout: answerAt(last().n) })
    const verified = await runPgbk(['verify', idOf(1), '--json', '-C', ledger.root])
    expect(JSON.parse(verified.stdout).checks[0].faults).toEqual([
      { file: `wal/${name}`, problem: `it is missing; the copy in ${walOf(backups[0])} is used` },
    ])
  }, 300_000)

  it('one is recovered through the sound copy, and says which one is damaged', async () => {
    const name = shared(1n)
    harms['bits flipped in its middle']?.(join(walOf(backups[0]), name))
    const psql = ['--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery]
    const latest = await localRun(ledger.root, [idOf(0), '--to-latest', ...psql])
    expect(latest.stdout).toBe(answerAt(last().n))
    expect(latest.stderr).toContain(`WAL segment ${name} in ${walOf(backups[0])} is damaged: `)
    const checked = JSON.parse((await runPgbk(['verify', '--all', '--json', '-C', ledger.root])).stdout)
    expect(
      checked.checks.map(({ faults }: { faults: { file: string }[] }) => faults.map((one) => one.file)),
    ).toEqual([[], [`wal/${name}`]])
  }, 300_000)
})
