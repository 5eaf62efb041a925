import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery, write } from '../helpers/ledger.js'
import { localRun, nothing, remainsOf, startLocalRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { anyMajor } from '../helpers/programs.js'
import { receive } from '../helpers/received-wal.js'
import { aStandbyOf } from '../helpers/server.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

const { describe, it } = needs('user namespaces', 'program pgrep')

let ledger: Ledger
beforeAll(async () => {
  ledger = await aLedger({ major: anyMajor, rows: 10 })
})
const ask = ['--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery]

describe('a run that replays', () => {
  const runs = () => join(ledger.root, 'data/run')
  const logOf = () => readFileSync(join(runs(), readdirSync(runs())[0] ?? '', 'log'), 'utf8')
  /** Its pid out here: in its sandbox it has another. */
  const serverOf = () => {
    const directory = join(runs(), readdirSync(runs())[0] ?? '')
    return Number.parseInt(execaSync('pgrep', ['-f', `^/[^ ]*/postgres -D ${directory}`]).stdout, 10)
  }

  /** A run whose replay goes on for an hour. */
  async function aLongReplay() {
    const args = ['--to-latest', '--working-copy', 'overlay', '-c', 'recovery_min_apply_delay=1h']
    const child = startLocalRun(ledger.root, args)
    await until('it replays', () => {
      try {
        return /consistent recovery state reached/.test(logOf())
      } catch {
        return false
      }
    })
    return { child }
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as [NodeJS.Signals, number][])('ends with %s, and leaves nothing', async (signal, status) => {
    const before = fingerprint(ledger.backup.directory)
    const { child } = await aLongReplay()
    child.kill(signal)
    expect((await child).exitCode).toBe(status)
    expect(remainsOf(ledger.root)).toEqual(nothing)
    expect(fingerprint(ledger.backup.directory)).toBe(before)
  })

  it('fails when its server dies, with the end of the log, and leaves nothing', async () => {
    const { child } = await aLongReplay()
    process.kill(serverOf(), 'SIGQUIT')
    const { exitCode, stderr } = await child
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(/the server of the run \S+ was told to stop[\s\S]*immediate shutdown/),
    })
    expect(remainsOf(ledger.root)).toEqual(nothing)
  })

  it('fails when a process of its server crashes: the server would try again, perhaps without end', async () => {
    const { child } = await aLongReplay()
    execaSync('pkill', ['-KILL', '-P', String(serverOf()), '-f', 'checkpointer'])
    const { exitCode, stderr } = await child
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(
        /(did not start|ended before (its recovery did|it was ready))[\s\S]*reinitializing/,
      ),
    })
    expect(remainsOf(ledger.root)).toEqual(nothing)
  })
})

describe('a backup of a standby', () => {
  let backup: MadeBackup
  beforeAll(async () => {
    const standby = await aStandbyOf(ledger.server)
    const reached = await ledger.server.sql('select pg_current_wal_lsn()')
    await until(
      'the standby has it',
      async () => (await standby.sql(`select pg_last_wal_replay_lsn() >= '${reached}'`)) === 't',
    )
    backup = await aBackupOf(standby)
  })

  it('is at the end of its snapshot as long as its archive has nothing else', async () => {
    const { n } = ledger.entries.at(-1) as Entry
    const { stdout, stderr } = await localRun(backup.root, ['--to-latest', ...ask])
    expect({ stdout, stderr }).toEqual({ stdout: answerAt(n), stderr: expect.anything() })
  })

  it('goes to a moment when its archive has been filled by the primary', async () => {
    await receive(ledger.server, join(backup.directory, 'wal'), () => write(ledger, 10))
    const { n, time } = ledger.entries.at(-5) as Entry
    const { stdout, stderr } = await localRun(backup.root, ['--to-time', time, ...ask])
    expect({ stdout, stderr }).toEqual({ stdout: answerAt(n), stderr: expect.anything() })
    const latest = await localRun(backup.root, ['--to-latest', ...ask])
    expect(latest.stdout).toBe(answerAt(ledger.entries.at(-1)?.n ?? 0))
  })
})
