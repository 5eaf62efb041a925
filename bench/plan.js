// `pgbk local-run --to-time` through many segments that `pgbk wal receive` has received, against PostgreSQL's own recovery; and the
// plan alone, with the notes beside the segments and without.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
  printTime,
  readOptions,
  withDirectory,
} from './measure.js'
import { backupIn, byHand, byPgbk } from './recover.js'
import { withServer } from './server.js'

const options = readOptions({
  segments: '30,300',
  small: 1000,
  scale: 20,
  fsync: 'off',
  runs: 3,
  major: newestMajor(),
})
const bin = `/usr/lib/postgresql/${options.major}/bin`
const notes = '.pgbk-segments'

process.stdout.write(`PostgreSQL ${options.major}\n`)
if (options.segments !== '')
  await withHistory(16, options.segments.split(',').map(Number), async (root, directory, moment, count) => {
    const answers = await pairs(
      Number(options.runs),
      () => byPgbk(root, moment, 'auto'),
      () => byHand(bin, root, directory, moment, options.fsync),
    )
    const only = answers.map(({ a, b }) => ({ a: a.answer, b: b.answer }))
    printRatio(`command to answer through ${count} segments of 16 MB`, only, 1.15)
    await planOnly(root, moment, `${count} segments of 16 MB`)
  })
if (options.small !== '0')
  await withHistory(1, [Number(options.small)], (root, _, moment, count) =>
    planOnly(root, moment, `${count} segments of 1 MB`),
  )

/** Times the plan with notes, and once without them, which makes them anew. */
async function planOnly(root, moment, what) {
  const command = asUser([...pgbk, 'local-run', '-q', '-C', root, '--to-time', moment, '--dry-run'])
  const times = []
  for (let run = 0; run < 5; run++) times.push((await measure(command)).ms)
  printTime(`plan through ${what}`, times, 2000)
  rmSync(join(backupIn(root), 'wal', notes))
  const { ms } = await measure(command)
  process.stdout.write(`the same without notes: ${(ms / 1000).toFixed(3)} s\n`)
}

/** A backup, and as many segments in its archive, more and more; `work` gets a time near their end. */
async function withHistory(megabytes, counts, work) {
  await withDirectory(async (directory) => {
    const root = join(directory, 'root')
    check(asUser(['mkdir', root]))
    const config = join(directory, 'pgbk.yaml')
    writeFileSync(config, 'wal:\n  compress: none\n', { mode: 0o644 })
    const initdb = [`--wal-segsize=${megabytes}`]
    await withServer(
      bin,
      directory,
      async (server) => {
        check(asUser([`${bin}/pgbench`, '-i', '-q', '-s', options.scale, ...server.connect, 'postgres']))
        check(asUser([...pgbk, 'create', '-q', '-C', root, ...server.connect]))
        for (const count of counts) {
          const receiver = start(
            asUser([...pgbk, 'wal', 'receive', '-C', root, '--config', config, ...server.connect]),
          )
          const moment = await fillArchive(server, root, count)
          receiver.child.kill('SIGTERM')
          await receiver.ended
          check(['sync'])
          await work(root, directory, moment, count)
        }
      },
      initdb,
    )
  })
}

async function fillArchive(server, root, count) {
  const finished = () =>
    readdirSync(join(backupIn(root), 'wal')).filter((name) => /^[0-9A-F]{24}$/.test(name))
  while (finished().length < count + 1)
    check(asUser([`${bin}/pgbench`, '-n', '-c', '4', '-t', '5000', ...server.connect, 'postgres']))
  const moment = server.sql(
    "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')",
  )
  server.sql('DROP TABLE IF EXISTS later; CREATE TABLE later AS SELECT 1')
  const last = server.sql('SELECT pg_walfile_name(pg_switch_wal())')
  while (!finished().includes(last)) await sleep(100)
  // The newest one is read when another has come after it.
  while (notedIn(root) < finished().length - 2) await sleep(100)
  return moment
}

function notedIn(root) {
  const file = join(backupIn(root), 'wal', notes)
  if (!existsSync(file)) return 0
  const names = [...readFileSync(file, 'utf8').matchAll(/"name":"([0-9A-F]{24})"/g)].map(([, name]) => name)
  return new Set(names).size
}

function start([file, ...args]) {
  const child = spawn(file, args, {
    cwd: '/',
    stdio: 'ignore',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  })
  return { child, ended: new Promise((resolve) => child.on('close', resolve)) }
}
