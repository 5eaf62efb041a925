import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery, write } from '../helpers/ledger.js'
import { aReadyRun, failureOf, localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, oldestAndNewest, run } from '../helpers/programs.js'
import { receive } from '../helpers/received-wal.js'
import { ask as askServer, instancesIn, pgbkIn, type Restored, restored } from '../helpers/restore.js'
import type { TestServer } from '../helpers/server.js'
import { fingerprint } from '../helpers/tree.js'

const ask = (query = ledgerQuery) => ['--', 'psql', '-XAtc', query]

// Before 14, recovery ended where it pauses now.

describe.each(oldestAndNewest)('on PostgreSQL %i, after the backup the server', (major) => {
  let ledger: Ledger
  beforeAll(async () => {
    ledger = await aLedger({
      major,
      rows: 10,
      before: (server) => large(server, 'early'),
      between: async (server) => {
        await server.sql(
          'alter system set max_connections = 150; alter system set max_prepared_transactions = 33; alter system set max_locks_per_transaction = 99; alter system set track_commit_timestamp = on',
        )
        await server.stop()
        await server.start()
        await server.sql('drop database early')
        await server.sql('create database late')
      },
    })
  })

  it('got higher max_connections and its like: replay has them too', async () => {
    const names = ['max_connections', 'max_prepared_transactions', 'track_commit_timestamp']
    const show = `select ${names.map((name) => `current_setting('${name}')`).join(' || ')}`
    const { stdout, stderr } = await localRun(ledger.root, ['--to-latest', '--dbname', 'app', ...ask(show)])
    expect({ stdout, stderr }).toEqual({ stdout: '15033on', stderr: expect.anything() })
    const [entry] = ledger.entries as [Entry]
    const exact = await localRun(ledger.root, ['--to-time', entry.time, '--dbname', 'app', ...ask()])
    expect(exact.stdout).toBe(answerAt(entry.n))
  })

  it('got commit timestamps: an instance keeps them when its recovery is over', async () => {
    await restored(ledger.root, ['--name', 'raised'])
    await pgbkIn(ledger.root, ['instance', 'stop', 'raised'])
    await pgbkIn(ledger.root, ['instance', 'start', 'raised'])
    const [instance] = (await instancesIn(ledger.root)) as [Restored]
    const stamped =
      "select pg_xact_commit_timestamp(xmin) is not null from pg_database where datname = 'late'"
    expect(await askServer(instance, stamped, 'postgres', major)).toBe('t')
  })

  it('dropped the largest database, and made another one: a run takes what there is', async () => {
    const { stdout, stderr } = await localRun(ledger.root, [
      '--to-latest',
      ...ask('select current_database()'),
    ])
    expect({ stdout, stderr }).toEqual({ stdout: 'app', stderr: expect.anything() })
    const late = ['--dbname', 'late', ...ask('select current_database()')]
    expect((await localRun(ledger.root, ['--to-latest', ...late])).stdout).toBe('late')
    const { message, hint } = await failureOf(ledger.root, ['--to-latest', '--dbname', 'early'])
    expect(`${message}\n${hint}`).toMatch(/no database "early"[\s\S]*app/)
  })
})

describe('replay of CREATE DATABASE, which ends a server whose template changes meanwhile,', () => {
  let ledger: Ledger
  beforeAll(async () => {
    ledger = await aLedger({
      major: anyMajor,
      rows: 10,
      between: async (server) => {
        for (const name of ['late', 'later', 'last']) await server.sql(`create database ${name}`)
      },
    })
  })

  /** The databases of the sessions until the end of the recovery. */
  function sessionsIn(log: string): string[] {
    const [replay = '', after] = readFileSync(log, 'utf8').split('archive recovery complete')
    expect(after).toBeDefined()
    return [
      ...new Set(
        Array.from(replay.matchAll(/connection authorized: .* database=(\S+)/g), ([, name = '']) => name),
      ),
    ]
  }

  it('is not disturbed by sessions of pgbk in the template', async () => {
    const ready = await aReadyRun(ledger.root, ['--to-latest', '--set', 'log_connections=on'])
    expect(sessionsIn(join(ready.directory, 'log'))).toEqual(['postgres'])
    expect(await ready.stop()).toBe(0)
  })
})

describe('a tablespace that was made after the backup', () => {
  let ledger: Ledger
  let place: string
  beforeAll(async () => {
    ledger = await aLedger({ major: anyMajor, rows: 10 })
    place = aDirectory('pgbk-late-space-')
    await ledger.server.sql(`create tablespace late location '${place}'`)
    await receive(ledger.server, join(ledger.backup.directory, 'wal'), () => write(ledger, 10))
  })

  it('is not replayed by a run, which can still go to a moment before', async () => {
    const before = [place, ledger.root].map(fingerprint)
    for (const args of [['--to-latest'], ['--to-time', ledger.entries.at(-1)?.time ?? '']]) {
      const { message, hint } = await failureOf(ledger.root, args)
      expect(message).toContain(`creates a tablespace in ${place}`)
      expect(hint).toMatch(/outside of the working copy[\s\S]*--to-lsn .* --exclusive/)
    }
    expect([place, ledger.root].map(fingerprint)).toEqual(before)
    const { hint } = await failureOf(ledger.root, ['--to-latest'])
    const words = /--to-lsn \S+ --exclusive/.exec(hint)?.[0].split(' ') ?? []
    expect((await localRun(ledger.root, [...words, '--dbname', 'app', ...ask()])).stdout).toBe(answerAt(11))
    expect(fingerprint(place)).toBe(before[0])
  })

  it('is not restored over files that are there, but into an empty directory of that name', async () => {
    const before = fingerprint(place)
    const restore = () => runPgbk(['restore', '-C', ledger.root, '--name', 'again', '--json'])
    const refused = await restore()
    expect({ status: refused.status, text: refused.stdout }).toEqual({
      status: 1,
      text: expect.stringMatching(/is in use on this machine/),
    })
    expect(fingerprint(place)).toBe(before)
    await ledger.server.stop('immediate')
    await run(['sh', '-c', `rm -r "${place}"/*`])
    const { status, stderr } = await restore()
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    expect(readdirSync(place)).toHaveLength(1)
    expect((await runPgbk(['instance', 'stop', '-C', ledger.root, 'again'])).status).toBe(0)
  })
})

describe('a server that was promoted after the backup', () => {
  let ledger: Ledger
  beforeAll(async () => {
    ledger = await aLedger({ major: anyMajor, rows: 10 })
    const { server, backup } = ledger
    await server.stop()
    writeFileSync(join(server.data, 'standby.signal'), '')
    await server.start()
    await run([`${server.bin}/pg_ctl`, '-D', server.data, '-w', 'promote'])
    await receive(server, join(backup.directory, 'wal'), () => write(ledger, 10))
  })

  it('is followed to its new timeline, or not', async () => {
    const { stdout, stderr } = await localRun(ledger.root, ['--to-latest', '--dbname', 'app', ...ask()])
    expect({ stdout, stderr }).toEqual({ stdout: answerAt(21), stderr: expect.anything() })
    const own = await localRun(ledger.root, ['--to-latest', '--timeline', '1', '--dbname', 'app', ...ask()])
    expect(own.stdout).toBe(answerAt(11))
    const [, , late] = ledger.entries.slice(10) as Entry[]
    const args = ['--to-time', late?.time ?? '', '--dbname', 'app', ...ask()]
    expect((await localRun(ledger.root, args)).stdout).toBe(answerAt(late?.n ?? 0))
  })
})

async function large(server: TestServer, name: string): Promise<void> {
  await server.sql(`create database ${name}`)
  await server.sql("create table much as select repeat('x', 500) from generate_series(1, 20000)", name)
}
