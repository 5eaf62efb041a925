import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { zstdOfNode } from '../../src/wal-segments/zstd.js'
import { aLedger, answerAt, type Ledger, ledgerQuery, write } from '../helpers/ledger.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { aPathWithout } from '../helpers/path-without.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor } from '../helpers/programs.js'
import { type Receiver, startReceiver } from '../helpers/receiver.js'
import { until } from '../helpers/traces.js'
import { zstdOf } from '../helpers/zstd.js'

needs('program zstd').describe('an archive whose segments are compressed with zstd', () => {
  let ledger: Ledger
  let wal: string
  const env = () => ({ ...ledger.server.env, PGBK_WAL_COMPRESS: 'zstd' })
  const endings = () => readdirSync(wal).flatMap((file) => /^[0-9A-F]{24}(.*)$/.exec(file)?.[1] ?? [])
  const countOf = (ending: string) => endings().filter((one) => one === ending).length
  const counted = (more: Record<string, string> = {}) => {
    const query = ['--', 'psql', '-XAtc', ledgerQuery, 'app']
    return localRun(ledger.root, ['--to-latest', ...query], { env: { ...env(), ...more } })
  }
  const received = async () => {
    const reached = await ledger.server.sql('select pg_walfile_name(pg_switch_wal())')
    await until('all is received', () => readdirSync(wal).some((file) => file.slice(0, 24) >= reached))
  }

  async function receiver(): Promise<Receiver> {
    const started = startReceiver(ledger.root, { env: env() })
    await started.untilItSays(/receiving WAL/)
    return started
  }

  beforeAll(async () => {
    ledger = await aLedger({ major: anyMajor, rows: 1 })
    wal = join(ledger.backup.directory, 'wal')
    const started = await receiver()
    await write(ledger, 20)
    await received()
    await until('some are compressed', () => countOf('.zst') >= 3 && countOf('') <= 2)
    await started.end()
  }, 300_000)

  it('is verified, counted and replayed', async () => {
    expect(countOf('.gz')).toBe(0)
    const { stdout } = await runPgbk(['verify', '--json', '-C', ledger.root], { env: env() })
    expect(JSON.parse(stdout).checks[0].faults).toEqual([])
    const status = await runPgbk(['wal', 'status', '--json', '-C', ledger.root], { env: env() })
    expect(JSON.parse(status.stdout).archives[0]).toMatchObject({ zstd: countOf('.zst'), gzip: 0 })
    expect((await counted()).stdout.trim()).toBe(answerAt(ledger.entries.at(-1)?.n ?? 0))
  }, 300_000)

  it('is not replayed where nothing unpacks it, which is told before anything starts', async () => {
    const { status, stderr } = await counted({ PATH: aPathWithout('zstd') })
    expect([status, stderr]).toEqual(
      zstdOfNode ? [0, expect.anything()] : [1, expect.stringMatching(/zstd is not installed/)],
    )
  }, 300_000)

  it('is gone on with where nothing in it is as pg_receivewal knows it', async () => {
    for (const file of readdirSync(wal).filter((one) => /^[0-9A-F]{24}/.test(one))) {
      if (file.endsWith('.partial')) rmSync(join(wal, file))
      else if (!file.includes('.')) {
        writeFileSync(join(wal, `${file}.zst`), zstdOf(readFileSync(join(wal, file))))
        rmSync(join(wal, file))
      }
    }
    expect(endings().every((one) => one === '.zst')).toBe(true)
    const started = await receiver()
    await write(ledger, 10)
    await received()
    await started.end()
    expect(readArchivedWal(wal, ledger.backup.record).gap).toBeUndefined()
    expect((await counted()).stdout.trim()).toBe(answerAt(ledger.entries.at(-1)?.n ?? 0))
  }, 300_000)

  it('gets no more of them where a snapshot of the root cannot read them, which is told', async () => {
    const file = join(ledger.backup.directory, 'backup.json')
    const { wal_forms, ...older } = JSON.parse(readFileSync(file, 'utf8'))
    expect(wal_forms).toEqual(['raw', 'gzip', 'zstd'])
    writeFileSync(file, JSON.stringify(older))
    const before = countOf('.zst')
    const started = await receiver()
    await write(ledger, 5)
    await received()
    await until('some are compressed', () => countOf('.gz') >= 2)
    await started.end()
    expect([countOf('.zst'), started.said().match(/not with zstd as wal.compress says/g)?.length]).toEqual([
      before,
      1,
    ])
    expect((await counted()).stdout.trim()).toBe(answerAt(ledger.entries.at(-1)?.n ?? 0))
  }, 300_000)
})
