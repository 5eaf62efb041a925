// `pgbk create` against pg_basebackup with the same flags plus pg_verifybackup.
import { join } from 'node:path'
import {
  asUser,
  check,
  measure,
  newestMajor,
  pairs,
  pgbk,
  print,
  printRatio,
  readOptions,
  withDirectory,
} from './measure.js'
import { fill, withServer } from './server.js'

const options = readOptions({ megabytes: 2048, runs: 5, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`

await withDirectory((directory) =>
  withServer(bin, directory, async (server) => {
    const space = fill(server, directory, Number(options.megabytes))
    const size = server.sql('SELECT pg_size_pretty(sum(pg_database_size(oid))) FROM pg_database')
    process.stdout.write(`PostgreSQL ${server.sql('SHOW server_version')}, ${size}, one tablespace\n`)
    const memory = []
    const byPgbk = () =>
      timed(directory, async (target) => {
        const run = await measure(asUser([...pgbk, 'create', ...server.connect, '-C', target]), {
          watchMemory: true,
        })
        memory.push(run.peak)
        return run.ms
      })
    const byHand = () => timed(directory, (target) => basebackup(server, target, space))
    const times = await pairs(Number(options.runs), byPgbk, byHand)
    printRatio('pgbk create against pg_basebackup and pg_verifybackup', times, 1.05)
    const most = Math.max(...memory) / 1024 ** 2
    print("pgbk's own memory", `${most.toFixed(1)} MB at most`, most < 120, 'below 120 MB')
  }),
)

/** Times work on a new directory, with the disk at rest before; what it wrote goes afterwards. */
async function timed(directory, work) {
  const target = join(directory, 'target')
  check(asUser(['mkdir', target]))
  check(['sync'])
  const ms = await work(target)
  check(['rm', '-rf', target])
  check(['sync'])
  return ms
}

async function basebackup(server, target, { oid, location }) {
  const data = join(target, 'data')
  const mapping = `--tablespace-mapping=${location}=${join(target, 'tablespaces', oid)}`
  const flags = ['-Fp', '-X', 'stream', '-c', 'fast', '--progress', mapping]
  const copied = await measure(asUser([`${bin}/pg_basebackup`, '-D', data, ...flags, ...server.connect]))
  const checked = await measure(asUser([`${bin}/pg_verifybackup`, 'data']), { cwd: target })
  return copied.ms + checked.ms
}
