// A prompt straight from a packed backup behind ssh whose every request takes 30 ms more: time to the answer, and the bytes that were
// fetched against those that squashfuse reads of the same image when it is here.
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asUser, check, measure, newestMajor, pgbk, print, readOptions, withDirectory } from './measure.js'
import { fill, withServer } from './server.js'

const options = readOptions({ megabytes: 600, delay: 0.03, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`

const questions = {
  'first answer': ['psql', '-XAtc', 'select 1', 'postgres'],
  'one row': ['psql', '-XAtc', 'select * from orders where n = 4711', 'postgres'],
  'pg_dump of one table': ['pg_dump', '-t', 'orders', '-f', '/dev/null', 'postgres'],
}

await withDirectory(async (directory) => {
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  await withServer(bin, directory, async (server) => {
    fill(server, directory, Number(options.megabytes))
    server.sql('CREATE TABLE orders AS SELECT n, md5(n::text) AS t FROM generate_series(1, 200000) n')
    server.sql('ALTER TABLE orders ADD PRIMARY KEY (n)')
    server.sql('CHECKPOINT')
    await measure(asUser([...pgbk, 'create', '--packed', '-q', '-C', root, ...server.connect]))
  })
  const programs = {
    ssh: `#!/bin/sh\nfor last; do :; done\nsleep ${options.delay}\nexec env -i PATH=/usr/bin:/bin HOME=/tmp sh -c "$last"\n`,
    squashfuse_ll: `#!/bin/sh\nexec strace -f -qq -e trace=pread64 -o '${directory}/reads/'$$ /usr/bin/squashfuse_ll "$@"\n`,
  }
  for (const [name, text] of Object.entries(programs)) addProgram(join(directory, name), name, text)
  check(asUser(['mkdir', join(directory, 'reads')]))
  for (const [question, words] of Object.entries(questions)) {
    check(['sh', '-c', `rm -rf '${directory}'/reads/* '${directory}/cache'`])
    const said = join(directory, 'said')
    const run = (programs, ...args) => [
      ...asUser([
        'sh',
        '-c',
        'exec "$@" 2>"$0"',
        said,
        'env',
        `PATH=${join(directory, programs)}:/usr/bin:/bin`,
      ]),
      ...[`XDG_CACHE_HOME=${directory}/cache`, ...pgbk, 'local-run', ...args, '--', ...words],
    ]
    await measure(run('squashfuse_ll', '-C', root))
    const needed = distinctBytes(join(directory, 'reads'))
    const { ms } = await measure(run('ssh', '-C', directory, '--from', `far:${root}`))
    const [, size = '0', unit = 'bytes'] =
      /^([\d.]+) (bytes|kB|MB|GB) were fetched/m.exec(readFileSync(said, 'utf8')) ?? []
    const fetched = Number(size) * { bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit]
    const ratio = fetched / needed
    const figures = `${(ms / 1000).toFixed(2)} s, ${(fetched / 1e6).toFixed(1)} MB fetched, ${(needed / 1e6).toFixed(1)} MB needed, ratio ${ratio.toFixed(2)}`
    print(question, figures, ratio <= 3, 'at most 3')
  }
})

function addProgram(directory, name, text) {
  mkdirSync(directory)
  chmodSync(directory, 0o755)
  writeFileSync(join(directory, name), text)
  chmodSync(join(directory, name), 0o755)
}

function distinctBytes(directory) {
  const known = new Map()
  for (const file of readdirSync(directory))
    for (const [, from, bytes] of readFileSync(join(directory, file), 'utf8').matchAll(
      /, (\d+)\) += (\d+)$/gm,
    ))
      known.set(`${from}`, Math.max(known.get(`${from}`) ?? 0, Number(bytes)))
  return [...known.values()].reduce((sum, bytes) => sum + bytes, 0)
}
