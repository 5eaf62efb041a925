// `pgbk local-run --to-time` against PostgreSQL's own recovery with `cp` as restore_command, to the same moment.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  asUser,
  check,
  measure,
  newestMajor,
  pairs,
  pgbk,
  printRatio,
  readOptions,
  withDirectory,
} from './measure.js'
import { backupIn, byHand, byPgbk } from './recover.js'
import { fill, withServer } from './server.js'

const options = readOptions({ megabytes: 2048, wal: 160, runs: 5, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`

await withDirectory(async (directory) => {
  process.stdout.write(`PostgreSQL ${options.major}\n`)
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  const moment = await withServer(bin, directory, (server) => makeHistory(server, directory, root))
  check(['rm', '-rf', join(directory, 'server')])
  check(['sync'])
  const hand = () => byHand(bin, root, directory, moment)
  const compare = (copy) => pairs(Number(options.runs), () => byPgbk(root, moment, copy), hand)
  const only = (times, name) => times.map(({ a, b }) => ({ a: a[name], b: b[name] }))
  // A full copy, as the other has it: an overlay copies each file when it is first written to.
  printRatio('replay on a full copy, by the log', only(await compare('copy'), 'replay'), 1.053)
  const overlay = await compare('overlay')
  printRatio('replay on an overlay, by the log', only(overlay, 'replay'), 2)
  printRatio('command to answer, against recovery on a copy that is there', only(overlay, 'answer'), 2)
})

/** A backup, and WAL in its archive that was received. Returns a time just before the end. */
async function makeHistory(server, directory, root) {
  fill(server, directory, Number(options.megabytes))
  const bench = (...words) => check(asUser([`${bin}/pgbench`, ...server.connect, ...words, 'postgres']))
  bench('-i', '-q', '-s', '20')
  await measure(asUser([...pgbk, 'create', '-C', root, ...server.connect]))
  server.sql("SELECT pg_create_physical_replication_slot('bench', true)")
  const wal = join(backupIn(root), 'wal')
  const [file, ...args] = asUser([`${bin}/pg_receivewal`, '-S', 'bench', '-D', wal, ...server.connect])
  const receiver = spawn(file, args, { cwd: '/', stdio: 'ignore' })
  const start = server.sql('SELECT pg_current_wal_lsn()')
  const written = () =>
    Number(server.sql(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '${start}')`)) / 1024 ** 2
  while (written() < Number(options.wal)) bench('-n', '-c', '4', '-t', '5000')
  const moment = server.sql(
    "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')",
  )
  process.stdout.write(`${written().toFixed(0)} MB of WAL\n`)
  // Something after the moment, and the end of its segment.
  server.sql('CREATE TABLE later AS SELECT 1')
  const end = server.sql('SELECT pg_switch_wal()')
  const finished = `SELECT count(*) FROM pg_stat_replication WHERE write_lsn >= '${end}'`
  while (server.sql(finished) !== '1') await sleep(100)
  receiver.kill('SIGINT')
  await new Promise((resolve) => receiver.on('close', resolve))
  return moment
}
