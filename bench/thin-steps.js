// COMMAND of the runs of thin.js: `node thin-steps.js STARTED ROOT SECONDS WRITTEN`. Prints what each step takes, as JSON.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statfsSync } from 'node:fs'

const [, , started, root, seconds, how] = process.argv
const taken = how === 'df' ? usedOnDisk : kilobytesIn
const before = how === 'df' ? Number(process.env.BENCH_DISK_USED) : 0
const found = { 'first answer, s': (Date.now() - Number(started)) / 1000 }

function call(file, ...args) {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 2 ** 30 })
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${status}\n${stderr}`)
  return stdout
}

function time(what, file, ...args) {
  const before = performance.now()
  call(file, ...args)
  found[`${what}, s`] = (performance.now() - before) / 1000
}

const sql = (what, statement) => time(what, 'psql', '-XAtqc', statement)
const written = (what) => {
  found[`written after it (${what}), MB`] = (taken(`${root}/data/run`) - before) / 1024
}
const pgbench = (what, ...flags) => {
  const said = call('pgbench', '-n', '-c', '4', '-j', '2', '-T', seconds, ...flags)
  found[what] = Number(/^tps = ([\d.]+)/m.exec(said)[1])
}

sql('one row, cold', 'select length(filler) from large where n = 4711')
written('one row')
sql('count(*), cold', 'select count(*) from large')
sql('count(*), again', 'select count(*) from large')
sql('count(*) of the rest', 'select count(*) from old')
written('count of all')
time('pg_dump of a table', 'pg_dump', '-t', 'large', '-f', '/dev/null')
pgbench('pgbench -S, tps', '-S')
pgbench('pgbench TPC-B, tps')
sql('update of all rows', 'update old set filler = reverse(filler)')
sql('create table as', 'create table another as table old')
sql('checkpoint', 'checkpoint')
written('all')
found['memory of the file server, MB'] = Math.max(0, ...fileServers().map(peakOf))
process.stdout.write(JSON.stringify(found))

/** What du cannot look into is an overlay's own directory, which is empty. */
function kilobytesIn(directory) {
  return Number.parseInt(spawnSync('du', ['-sk', directory], { encoding: 'utf8' }).stdout, 10)
}

/** What others write there counts too. */
function usedOnDisk(directory) {
  const { blocks, bfree, bsize } = statfsSync(directory)
  return ((blocks - bfree) * bsize) / 1024
}

function fileServers() {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isOwn(textOf(`/proc/${pid}/cmdline`)))
}

/** Others may run on this machine. */
function isOwn(words) {
  return words.includes('file-server.js') && words.includes(`${root}/`)
}

function peakOf(pid) {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0) / 1024
}

function textOf(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
