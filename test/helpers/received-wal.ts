import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { type ArchivedWal, readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { formatLsn, parseSegmentName } from '../../src/wal-segments/lsn.js'
import { aDirectory } from './places.js'
import { run } from './programs.js'
import { aServer, conninfo, type ServerOptions, type TestServer } from './server.js'
import { until } from './traces.js'
import { asUser } from './users.js'

/** A server and a directory into which its WAL was received by pg_receivewal itself. */
export interface ReceivedWal {
  server: TestServer
  directory: string
  startLsn: string
  read(): ArchivedWal
}

/** Starts a server with small segments, and receives its WAL while work is done with it. */
export async function receivedWal(
  options: ServerOptions,
  work: (server: TestServer) => Promise<void>,
  segmentMegabytes = 1,
): Promise<ReceivedWal> {
  const server = await aServer({ ...options, initdb: [`--wal-segsize=${segmentMegabytes}`] })
  const directory = join(aDirectory('pgbk-received-'), 'wal')
  await run(['mkdir', directory])
  await server.sql(
    "create table ledger (n serial, filler text); select pg_switch_wal(); select pg_create_physical_replication_slot('hold', true)",
  )
  await receive(server, directory, () => work(server))
  const wal_segment_size = segmentMegabytes * 1024 ** 2
  const [first = ''] = readdirSync(directory).sort()
  const begin =
    (parseSegmentName(first.slice(0, 24), wal_segment_size)?.segment ?? 0n) * BigInt(wal_segment_size)
  const startLsn = formatLsn(begin)
  const needs = { timeline: 1, start_lsn: startLsn, stop_lsn: formatLsn(begin + 1n), wal_segment_size }
  return { server, directory, startLsn, read: () => readArchivedWal(directory, needs) }
}

/** Runs pg_receivewal during the work, until it has all. */
export async function receive(
  server: TestServer,
  directory: string,
  work: () => Promise<void>,
): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const connect = `${conninfo(server)} application_name=by_hand`
  const [file = '', ...args] = [
    ...asUser(),
    `${server.bin}/pg_receivewal`,
    '--synchronous',
    '--slot=hold',
    `--directory=${directory}`,
    `--dbname=${connect}`,
  ]
  const child = execa(file, args, { cwd: '/', reject: false, stdin: 'ignore' })
  try {
    await work()
    const reached = await server.sql('select pg_current_wal_flush_lsn()')
    await until(
      'all WAL is received',
      async () =>
        (await server.sql(
          `select count(*) from pg_stat_replication where application_name = 'by_hand' and write_lsn >= '${reached}'`,
        )) === '1',
    )
  } finally {
    child.kill('SIGINT')
    await child
  }
}
