import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { lastSegmentBefore, parseSegmentName } from '../../src/wal-segments/lsn.js'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery, write } from '../helpers/ledger.js'
import { localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { receive } from '../helpers/received-wal.js'

const mb = 1024 ** 2

describe('three backups, each with the WAL up to the end of the next one', () => {
  let ledger: Ledger
  let backups: [MadeBackup, MadeBackup, MadeBackup]
  let saved: string
  const last = () => ledger.entries.at(-1) as Entry
  const walOf = ({ directory }: MadeBackup) => join(directory, 'wal')
  const idOf = (index: number) => backups[index]?.record.id ?? ''
  const numberOf = (name: string) => parseSegmentName(name.slice(0, 24), mb)?.segment ?? -1n
  const namesIn = (backup: MadeBackup) => readdirSync(walOf(backup)).filter((name) => numberOf(name) > 0n)

  /** As a receiver leaves it that has gone on with the next backup. */
  async function distribute(all: string): Promise<void> {
    for (const [index, backup] of backups.entries()) {
      const next = backups[index + 1]
      const to = next && lastSegmentBefore(next.record.stop_lsn, mb)
      const from = lastSegmentBefore(backup.record.stop_lsn, mb)
      const names = readdirSync(all).filter(
        (name) => numberOf(name) >= from && numberOf(name) <= (to ?? 1n << 40n),
      )
      for (const name of names) {
        await run(['cp', '-p', join(all, name), walOf(backup)])
        if (!name.endsWith('.partial')) rmSync(join(walOf(backup), `${name}.partial`), { force: true })
      }
    }
  }

  beforeAll(async () => {
    ledger = await aLedger({ major: anyMajor, rows: 3 })
    const { server, root, backup } = ledger
    const made = [backup]
    const all = join(aDirectory('pgbk-all-'), 'wal')
    await run(['cp', '-a', walOf(backup), all])
    await receive(server, all, async () => {
      for (const _ of [1, 2]) {
        await sleep(1100 - (Date.now() % 1000))
        made.push(await aBackupOf(server, { root }))
        await write(ledger, 8)
      }
    })
    backups = made as typeof backups
    await distribute(all)
    saved = aDirectory('pgbk-saved-')
    await run(['cp', '-a', join(root, 'data'), saved])
  }, 300_000)

  /** The root as it was at first. */
  const restored = async () => {
    rmSync(join(ledger.root, 'data'), { recursive: true })
    await run(['cp', '-a', join(saved, 'data'), ledger.root])
  }
  const list = async (): Promise<
    { id: string; window: { to: string; gap: { missing: string; reason: string } | null } }[]
  > => JSON.parse((await runPgbk(['list', '--json', '-C', ledger.root])).stdout).backups
  const rowsAt = async (args: string[]) =>
    (await localRun(ledger.root, [...args, '--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery])).stdout

  it('all reach the last commit, in the list and in a run', async () => {
    const [newest, ...older] = await list()
    expect(newest?.window.to).toBe(last().time)
    for (const { window } of older) expect(window).toMatchObject({ to: newest?.window.to, gap: null })
    expect(await rowsAt([idOf(0), '--to-latest'])).toBe(answerAt(last().n))
    expect(await rowsAt([idOf(0), '--to-xid', last().xid])).toBe(answerAt(last().n))
    expect(await rowsAt([idOf(1), '--to-lsn', last().lsn])).toBe(answerAt(last().n))
  }, 300_000)

  it('the oldest still does when the others are deleted, and nothing but the WAL that it needs stays', async () => {
    const deleted = await runPgbk(['delete', idOf(1), idOf(2), '--yes', '--json', '-C', ledger.root])
    expect(deleted.stderr).toMatch(/the WAL of .* moves to .*, which still needs it/)
    const { moved_wal } = JSON.parse(deleted.stdout)
    expect(moved_wal).toMatchObject([
      { from: idOf(1), to: idOf(0) },
      { from: idOf(2), to: idOf(0) },
    ])
    expect(await list()).toMatchObject([{ id: idOf(0), window: { to: last().time, gap: null } }])
    expect(await rowsAt([idOf(0), '--to-latest'])).toBe(answerAt(last().n))
    await restored()
  }, 300_000)

  it('one with another history of the same name is not gone on with, and makes nothing worse', async () => {
    const newest = backups[2]
    for (const name of namesIn(newest)) {
      const path = join(walOf(newest), name)
      const content = readFileSync(path)
      content.fill(0x55, 40, 8000)
      writeFileSync(path, content)
    }
    const windows = await list()
    const inSecond = ledger.entries.findLast(({ lsn }) => lsn <= newest.record.stop_lsn) as Entry
    const { to = '' } = windows.at(-1)?.window ?? {}
    expect([to >= inSecond.time, to < last().time]).toEqual([true, true])
    expect(await rowsAt([idOf(0), '--to-xid', inSecond.xid])).toBe(answerAt(inSecond.n))
    await restored()
  }, 300_000)

  it('of a damaged segment the same is said, raw or compressed, wherever it lies', async () => {
    const newest = backups[2]
    const name =
      namesIn(newest)
        .filter((one) => one.length === 24)
        .at(-1) ?? ''
    const path = join(walOf(newest), name)
    rmSync(join(walOf(newest), namesIn(newest).find((one) => one.endsWith('.partial')) ?? '-'), {
      force: true,
    })
    const content = readFileSync(path)
    const middle = Math.floor(content.findLastIndex((byte) => byte !== 0) / 2)
    content.fill(0xa5, middle, middle + 10)
    writeFileSync(path, content)
    const raw = await list()
    writeFileSync(`${path}.gz`, gzipSync(content))
    rmSync(path)
    const compressed = await list()
    expect(raw.map(({ window }) => window)).toEqual(compressed.map(({ window }) => window))
    expect(raw[0]?.window.gap).toMatchObject({
      missing: name,
      reason: expect.stringMatching(/^it is damaged: /),
    })
    const latest = await localRun(ledger.root, [idOf(0), '--to-latest', '--dry-run'])
    expect(latest.stderr).toContain(raw[0]?.window.gap?.reason ?? 'no reason')
    await restored()
  }, 300_000)
})
