import { setTimeout as sleep } from 'node:timers/promises'
import { aBackupOf, type MadeBackup } from './backup.js'
import { receive } from './received-wal.js'
import { aRoot, aServer, type ServerOptions, type TestServer } from './server.js'

/** A row of the ledger, and when and where its transaction was committed. */
export interface Entry {
  n: number
  /** By the server's clock, to the microsecond. */
  time: string
  xid: string
  /** The end of the commit's record, or of others that came after it. */
  lsn: string
}

/** A server with a table whose every row is known, a backup of it, and the WAL since then in its archive. */
export interface Ledger {
  server: TestServer
  backup: MadeBackup
  root: string
  /** The rows that came after the backup, in the order of their commits. */
  entries: Entry[]
  /** Restore points, with the number of the last row before each. */
  points: Map<string, number>
}

export interface LedgerOptions extends Partial<ServerOptions> {
  major: number
  segmentMegabytes?: number
  /** How many rows come after the backup. */
  rows?: number
  /** What happens before the backup. */
  before?(server: TestServer): Promise<void>
  /** What happens between the backup and the rows. */
  between?(server: TestServer): Promise<void>
}

export async function aLedger(options: LedgerOptions): Promise<Ledger> {
  const { rows = 60, segmentMegabytes = 1 } = options
  const server = await aLedgerServer(options)
  await options.before?.(server)
  const root = await aRoot()
  const backup = await aBackupOf(server, { root })
  const ledger: Ledger = { server, backup, root, entries: [], points: new Map() }
  await server.sql("select pg_create_physical_replication_slot('hold', true)")
  await options.between?.(server)
  await receive(server, `${backup.directory}/wal`, () => write(ledger, rows, segmentMegabytes))
  return ledger
}

/** A server whose ledger has one row, made for small segments. */
export async function aLedgerServer({
  segmentMegabytes = 1,
  ...options
}: LedgerOptions): Promise<TestServer> {
  const server = await aServer({
    ...options,
    initdb: [`--wal-segsize=${segmentMegabytes}`],
    settings: {
      track_commit_timestamp: 'on',
      autovacuum: 'off',
      max_prepared_transactions: '5',
      ...options.settings,
    },
  })
  await server.sql('create database app')
  await server.sql(
    `create table ledger (n int); insert into ledger values (1);
    create table noise (n int); create table filler (text text)`,
    'app',
  )
  return server
}

/** Writes rows one by one, while another session writes something else; every tenth is followed by a restore point. */
export async function write(ledger: Ledger, count: number, segmentMegabytes = 1): Promise<void> {
  const { server, entries, points } = ledger
  const from = (entries.at(-1)?.n ?? 1) + 1
  const numbers = Array.from({ length: count }, (_, index) => from + index)
  const noise = server.sql('insert into noise values (1);\n'.repeat(10 * count), 'app')
  const writing = (some: number[]) =>
    server.sql(
      some.map((n) => `${statementsFor(n, segmentMegabytes)} select pg_current_wal_insert_lsn();\n`).join(''),
      'app',
    )
  const first = await writing(numbers.slice(0, -1))
  await noise // so that the last row is the last commit
  const lsns = `${first}\n${await writing(numbers.slice(-1))}`
  const known = await server.sql(
    `select n, to_char(pg_xact_commit_timestamp(xmin) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), xmin
    from ledger where n >= ${from} order by n`,
    'app',
  )
  const lines = known.split('\n').map((line) => line.split('|'))
  const places = lsns.split('\n').filter((line) => line.includes('/'))
  for (const [index, [n, time = '', xid = '']] of lines.entries())
    entries.push({ n: Number(n), time, xid, lsn: places[index * 2 + 1] ?? '' })
  for (const n of numbers.filter((one) => one % 10 === 0)) points.set(`after row ${n}`, n)
  await sleep(20)
}

/** Ordinary, prepared and with a savepoint, with one before it that is rolled back; the restore point's LSN is one more line. */
function statementsFor(n: number, segmentMegabytes: number): string {
  const insert = `insert into ledger values (${n})`
  const way = [
    `${insert};`,
    `begin; ${insert}; prepare transaction 'p${n}'; commit prepared 'p${n}';`,
    `begin; insert into noise values (2); savepoint s; ${insert}; commit;`,
  ]
  const filler = `insert into filler select repeat('x', 500) from generate_series(1, ${Math.min(segmentMegabytes, 8) * 400});`
  const point = n % 10 === 0 ? `'after row ${n}'` : "'none'"
  return `select pg_sleep(0.01); begin; insert into ledger values (-${n}); rollback; ${filler} ${way[n % 3]}
    select pg_create_restore_point(${point});`
}

/** The numbers that a copy must have when it is as of just after this row. */
export function answerAt(n: number): string {
  return `${n}|${n}`
}

/** Gives `answerAt` on a copy. */
export const ledgerQuery = 'select max(n), count(*) from ledger'
