import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { lastSegmentBefore, parseSegmentName } from '../../src/backup/lsn.js'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
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
  const ends = async () =>
    JSON.parse((await runPgbk(['list', '--json', '-C', ledger.root])).stdout).backups.map(
      ({ window }: { window: { to: string; gap: unknown } }) => [window.to, window.gap],
    )
  const whole = () => [
    [last().time, null],
    [last().time, null],
  ]
  const rowsAt = async (args: string[]) =>
    (await localRun(ledger.root, [...args, '--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery])).stdout

  it.each(
    Object.keys(harms).flatMap((harm) =>
      [0n, 1n, 3n].flatMap((after) => [0, 1].map((which) => ({ harm, after, which }))),
    ),
  )('both reach all that is in a sound copy: $harm, segment $after of archive $which', async (way) => {
    const name = shared(way.after)
    const path = join(walOf(backups[way.which] as MadeBackup), name)
    harms[way.harm]?.(path)
    await runPgbk(['verify', idOf(way.which), '-C', ledger.root])
    expect(await ends()).toEqual(whole())
    for (const id of [idOf(0), idOf(1)]) {
      const plan = await runPgbk(['restore', id, '--dry-run', '--json', '-C', ledger.root])
      expect(JSON.parse(plan.stdout)).toMatchObject({ plan: { as_of: last().time } })
    }
    await runPgbk(['delete', idOf(1 - way.which), '--yes', '-C', ledger.root])
    expect(await ends()).toEqual(whole().slice(1))
  }, 300_000)

  it('one is recovered through the sound copy, and says which one is damaged', async () => {
    const name = shared(1n)
    harms['bits flipped in its middle']?.(join(walOf(backups[0]), name))
    const latest = await localRun(ledger.root, [
      ...[idOf(0), '--to-latest', '--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery],
    ])
    expect(latest.stdout).toBe(answerAt(last().n))
    expect(latest.stderr).toContain(`WAL segment ${name} in ${walOf(backups[0])} is damaged: `)
    expect(await rowsAt([idOf(0), '--to-xid', last().xid])).toBe(answerAt(last().n))
    const checked = JSON.parse((await runPgbk(['verify', '--all', '--json', '-C', ledger.root])).stdout)
    expect(checked.checks.map(({ faults }: { faults: { file: string }[] }) => faults.map((one) => one.file)))
      .toEqual([[], [`wal/${name}`]])
    expect(existsSync(join(walOf(backups[1]), name))).toBe(true)
  }, 300_000)
})
