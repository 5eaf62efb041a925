// `pgbk wal receive` beside pgbench at full speed: how far it is behind at the end, and what pgbk's own process takes.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asUser, check, newestMajor, pgbk, print, readOptions, withDirectory } from './measure.js'
import { withServer } from './server.js'

const options = readOptions({ seconds: 60, clients: 8, scale: 20, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const segment = 16 * 1024 ** 2

await withDirectory((directory) =>
  withServer(bin, directory, async (server) => {
    const root = join(directory, 'root')
    check(asUser(['mkdir', root]))
    check(asUser([`${bin}/pgbench`, '-i', '-q', '-s', options.scale, ...server.connect, 'postgres']))
    check(asUser([...pgbk, 'create', '-q', '-C', root, ...server.connect]))
    const receiver = start([...pgbk, 'wal', 'receive', '-C', root, ...server.connect])
    try {
      while (
        server.sql("SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = 'pgbk'") !== '1'
      )
        await sleep(200)
      await measureLoad(server, receiver.pid)
    } finally {
      process.kill(receiver.pid, 'SIGTERM')
      await receiver.ended
    }
  }),
)

/** setpriv becomes the program that it starts, so the pid is that of pgbk. */
function start(command) {
  const [file, ...args] = asUser(command)
  const child = spawn(file, args, {
    cwd: '/',
    stdio: 'ignore',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  })
  return { pid: child.pid, ended: new Promise((resolve) => child.on('close', resolve)) }
}

async function measureLoad(server, pid) {
  const [begin, before] = [server.sql('SELECT pg_current_wal_lsn()'), cpuSeconds(pid)]
  const load = [
    `${bin}/pgbench`,
    '-T',
    options.seconds,
    '-c',
    options.clients,
    '-j',
    '2',
    ...server.connect,
    'postgres',
  ]
  const bench = start(load)
  let worst = 0
  let over = false
  const ended = bench.ended.then(() => {
    over = true
  })
  while (!over) {
    worst = Math.max(worst, lagOf(server))
    await Promise.race([ended, sleep(500)])
  }
  const lag = lagOf(server)
  const share = (cpuSeconds(pid) - before) / Number(options.seconds)
  const written = Number(server.sql(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '${begin}')`))
  const rate = `${(written / Number(options.seconds) / 1024 ** 2).toFixed(1)} MB of WAL a second`
  const most = `${(worst / 1024 ** 2).toFixed(2)} MB at most`
  print(
    'behind at the end',
    `${(lag / 1024 ** 2).toFixed(2)} MB (${most}; ${rate})`,
    lag < segment,
    'below one segment',
  )
  print("pgbk's own process", `${(100 * share).toFixed(1)} % of a core`, share < 0.05, 'below 5 %')
}

/** Bytes of WAL that the server has flushed and the receiver has not. */
function lagOf(server) {
  return Number(
    server.sql(
      "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn) FROM pg_replication_slots WHERE slot_name = 'pgbk'",
    ),
  )
}

/** What the process itself has used so far, without its children. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
