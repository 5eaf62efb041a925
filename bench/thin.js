// What a run costs on the ways to a working copy: one backup, the ways in turn, A B C A B C ... TMPDIR says on which file system; where
// nobody else writes to that, `--written df` counts what files that share blocks take. Before each run the backup goes from the page
// cache, with `--cold all` node, PostgreSQL and all else too (as root).
import { spawnSync } from 'node:child_process'
import { statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asUser, check, measure, median, newestMajor, pgbk, readOptions, withDirectory } from './measure.js'
import { fill, withServer } from './server.js'

const options = readOptions({
  megabytes: 2048,
  runs: 3,
  seconds: 10,
  major: newestMajor(),
  ways: 'thin,overlay,copy',
  written: 'du',
  cold: 'backup',
})
const bin = `/usr/lib/postgresql/${options.major}/bin`
const ways = options.ways.split(',')

await withDirectory(async (directory) => {
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  await withServer(bin, directory, async (server) => {
    fill(server, directory, Number(options.megabytes))
    server.sql('ALTER TABLE large ADD PRIMARY KEY (n)')
    check(asUser([`${bin}/pgbench`, '-iqs', '20', ...server.connect, 'postgres']))
    server.sql('VACUUM FREEZE')
    server.sql('CHECKPOINT')
    await measure(asUser([...pgbk, 'create', '-C', root, ...server.connect]))
  })
  check(['rm', '-rf', join(directory, 'server'), join(directory, 'space')])
  const found = new Map(ways.map((way) => [way, []]))
  for (let round = 0; round < Number(options.runs); round++)
    for (const way of ways) found.get(way).push(stepsOn(way, root))
  print(found)
})

/** The figures of one run, by what they are of. */
function stepsOn(way, root) {
  dropFromCache(root)
  const steps = [process.execPath, fileURLToPath(new URL('thin-steps.js', import.meta.url))]
  const words = [
    'local-run',
    '-q',
    '-C',
    root,
    '--working-copy',
    way,
    '--dbname',
    'postgres',
    '-c',
    'autovacuum=off',
  ]
  const [file, ...args] = asUser([
    ...pgbk,
    ...words,
    '--',
    ...steps,
    String(Date.now()),
    root,
    options.seconds,
    options.written,
  ])
  const { blocks, bfree, bsize } = statfsSync(root)
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    BENCH_DISK_USED: String(((blocks - bfree) * bsize) / 1024),
  }
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: '/', encoding: 'utf8', env })
  if (status !== 0) throw new Error(`${way}: ${status}\n${stderr}`)
  return JSON.parse(stdout)
}

function dropFromCache(root) {
  check(['sync'])
  if (options.cold === 'all') writeFileSync('/proc/sys/vm/drop_caches', '3')
  else
    check(
      asUser([
        'find',
        root,
        '-type',
        'f',
        '-exec',
        'dd',
        'if={}',
        'iflag=nocache',
        'count=0',
        'status=none',
        ';',
      ]),
    )
}

function print(found) {
  const names = Object.keys(found.get(ways[0])[0])
  for (const name of names) {
    const figures = ways.map((way) => {
      const all = found.get(way).map((one) => one[name])
      return `${way} ${median(all).toFixed(3)} (${Math.min(...all).toFixed(3)} to ${Math.max(...all).toFixed(3)})`
    })
    process.stdout.write(`${name}: ${figures.join(', ')}\n`)
  }
}
