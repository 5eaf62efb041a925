import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { randomNumbers, seed } from '../helpers/chance.js'
import { aBackupIn, type Form, forms, ledgerIn } from '../helpers/forms.js'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery } from '../helpers/ledger.js'
import { aReadyRun, localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, binOf, describeMajors, majors, oldestAndNewest, run } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'
import { fingerprint } from '../helpers/tree.js'

/** A moment as arguments, and the last row that a copy must have there. */
interface Target {
  args: string[]
  row: number
}

const kinds: ((ledger: Ledger, index: number, entry: Entry) => Target)[] = [
  (_, __, { n, time }) => ({ args: ['--to-time', time], row: n }),
  (_, __, { n, time }) => ({ args: ['--to-time', time, '--exclusive'], row: n - 1 }),
  ({ entries }, index, { n }) => ({ args: ['--to-time', halfWay(entries, index)], row: n }),
  (_, __, { n, lsn }) => ({ args: ['--to-lsn', lsn.toLowerCase()], row: n }),
  (_, __, { n, xid }) => ({ args: ['--to-xid', xid], row: n }),
  (_, __, { n, xid }) => ({ args: ['--to-xid', xid, '--exclusive'], row: n - 1 }),
  ({ points }, index) => {
    const [name, row] = [...points][index % points.size] as [string, number]
    return { args: ['--to-name', name], row }
  },
]

/** Between the commits of a row and the next one. */
function halfWay(entries: Entry[], index: number): string {
  const micros = ({ time }: Entry) => BigInt(Date.parse(time)) * 1000n + BigInt(time.slice(23, 26))
  const [before, after] = [entries[index] as Entry, entries[index + 1] as Entry].map(micros) as [
    bigint,
    bigint,
  ]
  const middle = (before + after) / 2n
  return `${new Date(Number(middle / 1000n)).toISOString().slice(0, 23)}${String(middle % 1000n).padStart(3, '0')}Z`
}

function targetsIn(ledger: Ledger, name: string): Target[] {
  const indexes = randomNumbers(kinds.length, ledger.entries.length - 1, name)
  return kinds.map((kind, at) => {
    const index = indexes[at] ?? 0
    return kind(ledger, index, ledger.entries[index] as Entry)
  })
}

const ask = (query: string) => ['--dbname', 'app', '--', 'psql', '-XAtc', query]

describeMajors(
  oldestAndNewest.filter((major) => major >= 15),
  'PostgreSQL %i',
  (major) => {
    let plain: Ledger
    beforeAll(async () => {
      plain = await aLedger({ major })
      await plain.server.stop('immediate')
    })

    // An image has nothing to do with the major of what is in it.
    describe.each(major === Math.max(...majors) ? forms : (['plain'] as const))(
      'a run of a %s backup',
      (form) => {
        let ledger: Ledger
        beforeAll(async () => {
          ledger = await ledgerIn(form, plain)
        })

        it(`holds exactly the rows that were committed up to a random moment of each kind (seed ${seed})`, async () => {
          // To which moment has nothing to do with the form: of a packed backup two are enough.
          const targets = targetsIn(ledger, `moments ${major}`).slice(0, form === 'packed' ? 2 : undefined)
          // Two at a time, on every kind of working copy that can be had anywhere.
          for (let at = 0; at < targets.length; at += 2) {
            const ended = await Promise.all(
              targets.slice(at, at + 2).map(async ({ args, row }, index) => {
                const copy = ['--working-copy', (at + index) % 4 === 3 ? 'copy' : 'auto']
                const { stdout, stderr } = await localRun(ledger.root, [
                  ...args,
                  ...copy,
                  ...ask(ledgerQuery),
                ])
                return [
                  { args, answer: stdout, stderr },
                  { args, answer: answerAt(row), stderr: expect.anything() },
                ]
              }),
            )
            for (const [got, wanted] of ended) expect(got).toEqual(wanted)
          }
        })

        it('holds the last row that was committed before the server was killed, with --to-latest', async () => {
          const last = ledger.entries.at(-1) as Entry
          const { stdout } = await localRun(ledger.root, ['--to-latest', ...ask(ledgerQuery)])
          expect(stdout).toBe(answerAt(last.n))
          const exact = await localRun(ledger.root, ['--to-time', last.time, ...ask(ledgerQuery)])
          expect(exact.stdout).toBe(answerAt(last.n))
        })

        // Elsewhere nothing keeps its server from writing to the archive: there it is copied.
        needs('user namespaces').it(
          'reads finished segments where they are, and leaves them as they are',
          async () => {
            const { root, backup } = ledger
            const before = fingerprint(backup.directory)
            const script = `psql -XAtqc checkpoint -c "select pg_switch_wal() is null" -c checkpoint -c '${ledgerQuery}'
          cat data/run/*/log`
            const { stdout } = await localRun(
              root,
              ['--to-latest', '--dbname', 'app', '--', 'sh', '-c', script],
              {
                cwd: root,
              },
            )
            expect(stdout.split('\n').slice(0, 2)).toEqual([
              'f',
              answerAt((ledger.entries.at(-1) as Entry).n),
            ])
            const copied = [...stdout.matchAll(/restored log file "(\w+)"/g)].map(([, name]) => name)
            const raw = readdirSync(join(backup.directory, 'wal')).filter((name) =>
              /^[0-9A-F]{24}$/.test(name),
            )
            const own = readdirSync(join(plain.backup.snapshot, 'data/pg_wal'))
            expect(raw.length).toBeGreaterThan(own.length + 5)
            expect(copied.filter((name = '') => raw.includes(name) && !own.includes(name))).toEqual([])
            expect(fingerprint(backup.directory)).toBe(before)
          },
        )
      },
    )
  },
)

describe('a moment', () => {
  const major = anyMajor
  let ledgers: Record<Form, Ledger>
  beforeAll(async () => {
    const plain = await aLedger({ major, rows: 20 })
    ledgers = { plain, packed: await ledgerIn(forms.at(-1) ?? 'plain', plain) }
  })

  describe.each(forms)('after a %s backup', (form) => {
    const entryAt = (index: number) => ledgers[form].entries[index] as Entry

    it('is told before anything starts and, once it is reached, with the time of the last commit', async () => {
      const { n, time, xid } = entryAt(8)
      const { stdout } = await localRun(ledgers[form].root, ['--dry-run', '--json', '--to-time', time])
      expect(JSON.parse(stdout).plan).toMatchObject({
        as_of: time,
        goal: expect.stringMatching(/^the time 20/),
        reached_lsn: null,
      })
      const { stderr } = await localRun(ledgers[form].root, ['--to-time', time, ...ask('select 1')])
      expect(stderr).toMatch(/^Data as of .* UTC/m)
      const ready = await localRun(ledgers[form].root, ['--to-xid', xid, '--json', '--detach'])
      const { run: made } = JSON.parse(ready.stdout)
      expect(made).toMatchObject({ last_commit_at: time, goal: `the transaction ${xid}` })
      expect(await psql(made.port, ledgerQuery, made.socket_directory)).toBe(answerAt(n))
      await runPgbk(['instance', 'stop', '-C', ledgers[form].root, made.name])
    })

    it('can be one of several on one backup, side by side', async () => {
      const [early, late] = await Promise.all(
        [entryAt(3), entryAt(15)].map(({ lsn }) => aReadyRun(ledgers[form].root, ['--to-lsn', lsn])),
      )
      expect([await early?.sql(ledgerQuery), await late?.sql(ledgerQuery)]).toEqual(
        [entryAt(3), entryAt(15)].map(({ n }) => answerAt(n)),
      )
      expect([await early?.stop(), await late?.stop()]).toEqual([0, 0])
    })

    it('with --pause is read-only, until it is promoted', async () => {
      const script = `psql -XAtc "${ledgerQuery}"; psql -XAt "$DATABASE_URL" -c 'insert into ledger values (0)';
        psql -XAtqc 'select pg_wal_replay_resume()'
        until psql -XAtqc 'insert into ledger values (0)' 2>/dev/null; do sleep 0.1; done; psql -XAtc "${ledgerQuery}"`
      const { n, xid } = entryAt(8)
      const args = ['--to-xid', xid, '--pause', '--dbname', 'app', '--', 'sh', '-c', script]
      const { stdout, stderr } = await localRun(ledgers[form].root, args)
      expect(stderr).toMatch(/cannot execute INSERT in a read-only transaction/)
      expect(stdout.split('\n').filter(Boolean)).toEqual([answerAt(n), `${n}|${n + 1}`])
    })

    it('with --pause is read-only also where there is nothing to replay', async () => {
      const server = await aServer({ major: anyMajor })
      const { root } = await aBackupIn(form, server)
      const psql = ['psql', '-Xc', 'create table x ()']
      const words = ['local-run', '--to-latest', '--pause', '-C', root, '--', ...psql]
      const { status, stderr } = await runPgbk(words)
      expect(status).not.toBe(0)
      expect(stderr).toMatch(/cannot execute CREATE TABLE in a read-only transaction/)
    })

    it('is reached whatever the settings say of recovery', async () => {
      const { n, lsn } = entryAt(8)
      const settings = [
        'recovery_target_action=shutdown',
        'HOT_STANDBY=off',
        'recovery_target_inclusive=off',
        'recovery_target_timeline=7',
        'restore_command=false',
        'recovery_target_lsn=0/1',
      ].flatMap((setting) => ['-c', setting])
      const { stdout } = await localRun(ledgers[form].root, [
        '--to-lsn',
        lsn,
        ...settings,
        ...ask(ledgerQuery),
      ])
      expect(stdout).toBe(answerAt(n))
    })

    it('can be taken by --sql and --psql as by COMMAND', async () => {
      const sql = join(aDirectory(), 'x.sql')
      await run(['sh', '-c', `echo 'delete from ledger where n = 1' > "${sql}"`])
      const { n, time } = entryAt(8)
      const { stdout } = await localRun(ledgers[form].root, [
        '--to-time',
        time,
        '--sql',
        sql,
        ...ask(ledgerQuery),
      ])
      expect(stdout).toBe(`${n}|${n - 1}`)
    })

    it('is what restore stops at, for an instance', async () => {
      const { n, time } = entryAt(8)
      const args = ['restore', '-C', ledgers[form].root, '--to-time', time, '--name', 'rewound', '--json']
      const { status, stdout } = await runPgbk(args)
      expect({ status, as_of: JSON.parse(stdout).instance.as_of }).toEqual({ status: 0, as_of: time })
      const { port, directory } = JSON.parse(stdout).instance
      expect(await psql(port, ledgerQuery, join(directory, 'run'))).toBe(answerAt(n))
      expect((await runPgbk(['instance', 'stop', '-C', ledgers[form].root, 'rewound'])).status).toBe(0)
    })

    it('is what restore -D stops at', async () => {
      const data = join(aDirectory(), 'data')
      const { n, time } = entryAt(12)
      const port = await aFreePort()
      const args = [
        'restore',
        '-C',
        ledgers[form].root,
        '--to-time',
        time,
        '-D',
        data,
        '--port',
        String(port),
        '--start',
      ]
      const { status, stdout, stderr } = await runPgbk(args)
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toMatch(/the last commit was at \d{4}-/)
      expect(stdout).toContain(`psql -h ${ledgers[form].server.socket} -p ${port} -U focker app`)
      expect(existsSync(join(data, 'recovery.signal'))).toBe(false)
      expect(await psql(port, ledgerQuery, ledgers[form].server.socket)).toBe(answerAt(n))
      await run([`${binOf(major)}/pg_ctl`, '-D', data, '-m', 'immediate', 'stop'])
    })

    async function psql(port: number, statement: string, host: string): Promise<string> {
      const words = ['-XAtc', statement, '-h', host, '-p', String(port), '-U', 'focker', 'app']
      return (await run([`${binOf(major)}/psql`, ...words])).stdout
    }
  })
})

describe('a moment in a cluster with segments of 64 MB', () => {
  it('is reached', async () => {
    const ledger = await aLedger({ major: majors.at(-1) as number, segmentMegabytes: 64, rows: 4 })
    const { n, time } = ledger.entries[1] as Entry
    const { stdout } = await localRun(ledger.root, ['--to-time', time, ...ask(ledgerQuery)])
    expect(stdout).toBe(answerAt(n))
  })
})
