// A prompt straight from a packed backup in S3, on loopback and from afar: time to the answer, and the bytes that were fetched against
// those that squashfuse reads of the same image when it is here.
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { delayingProxy } from './delaying-proxy.js'
import { asUser, check, measure, median, newestMajor, pgbk, withDirectory } from './measure.js'
import { withS3 } from './s3.js'
import { fillInOnePlace, withServer } from './server.js'

const text = (value) => ({ type: 'string', default: String(value) })
const { values: options } = parseArgs({
  options: {
    megabytes: text(2048),
    delay: text(30),
    runs: text(3),
    major: text(newestMajor()),
    encrypted: { type: 'boolean', default: false },
  },
})
const bin = `/usr/lib/postgresql/${options.major}/bin`
const megabytes = Number(options.megabytes)

const questions = {
  'first answer': ['psql', '-XAtc', 'select 1', 'postgres'],
  'one row': ['psql', '-XAtc', 'select * from orders where n = 4711', 'postgres'],
  'pg_dump of one table': ['pg_dump', '-t', 'orders', '-f', '/dev/null', 'postgres'],
}
/** Seconds to the first answer, and what is fetched against what is needed. */
const most = { seconds: 3, ratio: 3 }

await withDirectory(async (directory) => {
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  await withServer(bin, directory, async (server) => {
    fillInOnePlace(server, megabytes)
    server.sql('CREATE TABLE orders AS SELECT n, md5(n::text) AS t FROM generate_series(1, 200000) n')
    server.sql('ALTER TABLE orders ADD PRIMARY KEY (n)')
    server.sql('CHECKPOINT')
    await measure(asUser([...pgbk, 'create', '--packed', '-q', '-C', root, ...server.connect]))
  })
  await withS3(directory, { tls: false, gigabytes: 2 + Math.ceil(megabytes / 1000) }, async (s3) => {
    await s3.addBucket('bench')
    const home = prepare(directory, 's3://bench/pg')
    const run = (path, env, ...args) =>
      asUser([
        ...['env', '-i', `PATH=${path}:/usr/bin:/bin`, `HOME=${home}`, `XDG_CACHE_HOME=${home}/cache`],
        ...[`PGBK_CONFIG=${home}/.pgbkrc.json`, ...words(env), ...pgbk, ...args],
      ])
    const at = (endpoint) => ({ ...s3.env, AWS_ENDPOINT_URL: endpoint })
    await measure(run(bin, at(s3.endpoint), 'upload', '-q', '-C', root, '--to', 'far'))
    const image = join(root, 'data/backup', readdirSync(join(root, 'data/backup')).find(isId))
    const { size } = statSync(join(image, 'snapshot.squashfs'))
    const kind = options.encrypted ? 'encrypted' : 'not encrypted'
    print(`PostgreSQL ${options.major}, ${megabytes} MB, an image of ${inMb(size)} MB in S3, ${kind}`)
    print(row('', 'DELAY', 'SECONDS', 'REQUESTS', 'FETCHED', 'NEEDED', 'RATIO'))
    for (const [question, command] of Object.entries(questions)) {
      check(['sh', '-c', `rm -f '${directory}'/reads/*`])
      await measure(run(join(directory, 'traced'), {}, 'local-run', '-C', root, '--', ...command))
      const needed = distinctBytes(join(directory, 'reads'))
      for (const delay of [0, Number(options.delay)]) {
        const proxy = await delayingProxy(s3.endpoint, delay)
        const times = []
        for (let turn = 0; turn < Number(options.runs); turn++) {
          check(['rm', '-rf', `${home}/cache`])
          proxy.taken()
          const asked = run(bin, at(proxy.endpoint), 'local-run', '--from', 'far', '--', ...command)
          times.push((await measure(asked)).ms / 1000)
        }
        const requests = proxy.taken()
        proxy.close()
        const fetched = requests.reduce((sum, { bytes }) => sum + bytes, 0)
        judge(question, { delay, seconds: median(times), requests: requests.length, fetched, needed })
      }
    }
  })
})

/** A home with a configuration, and programs that tell what is read. */
function prepare(directory, url) {
  const home = join(directory, 'home')
  check(asUser(['mkdir', home, join(directory, 'reads'), join(directory, 'traced')]))
  const key = join(home, 'key.txt')
  const encryption = () => {
    check(asUser([...pgbk, 'key', 'new', key]))
    const [recipient] = /age1[a-z0-9]+/.exec(readFileSync(key, 'utf8'))
    return { recipients: [recipient], identity: key }
  }
  const stores = { far: { url, ...(options.encrypted && encryption()) } }
  const config = join(home, '.pgbkrc.json')
  check(asUser(['touch', config]))
  writeFileSync(config, JSON.stringify({ stores }))
  const traced = join(directory, 'traced/squashfuse_ll')
  writeFileSync(
    traced,
    `#!/bin/sh\nexec strace -f -qq -e trace=pread64 -o '${directory}/reads/'$$ /usr/bin/squashfuse_ll "$@"\n`,
  )
  chmodSync(traced, 0o755)
  return home
}

function judge(question, { delay, seconds, requests, fetched, needed }) {
  const ratio = fetched / needed
  const faults = [
    ...(question === 'first answer' && seconds >= most.seconds ? [`not under ${most.seconds} s`] : []),
    ...(question !== 'first answer' && ratio > most.ratio ? [`more than ${most.ratio} times the bytes`] : []),
  ]
  const figures = [`${delay} ms`, seconds.toFixed(2), requests, inMb(fetched), inMb(needed), ratio.toFixed(2)]
  print(`${row(question, ...figures)}${faults.length > 0 ? `  MISSED: ${faults.join(', ')}` : ''}`)
  if (faults.length > 0) process.exitCode = 1
}

function row(first, ...others) {
  return first.padEnd(21) + others.map((one) => String(one).padStart(9)).join('')
}

function inMb(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 2 : 0)
}

function print(line) {
  process.stdout.write(`${line.trimEnd()}\n`)
}

function words(env) {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`)
}

function isId(name) {
  return /^\d{8}T\d{6}Z$/.test(name)
}

/** Of pread64's calls, by strace. */
function distinctBytes(directory) {
  const known = new Map()
  for (const file of readdirSync(directory))
    for (const [, from, bytes] of readFileSync(join(directory, file), 'utf8').matchAll(
      /, (\d+)\) += (\d+)$/gm,
    ))
      known.set(from, Math.max(known.get(from) ?? 0, Number(bytes)))
  return [...known.values()].reduce((sum, bytes) => sum + bytes, 0)
}
