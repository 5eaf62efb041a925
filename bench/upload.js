// Backups that leave the machine: sent, made and sent, and restored, beside what sends the same bytes, and pgBackRest. All of them to and
// from one S3 server with TLS on this machine, encrypted.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  asUser,
  check,
  measure,
  median,
  newestMajor,
  pairs,
  pgbk,
  readOptions,
  withDirectory,
} from './measure.js'
import { archiving, inBucket, pgBackRest } from './pgbackrest.js'
import { withS3 } from './s3.js'
import { fillInOnePlace, freePort, startAndAsk, withServer } from './server.js'

const options = readOptions({ megabytes: 600, runs: 3, major: newestMajor(), parts: 'abc' })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const runs = Number(options.runs)
const bareUpload = fileURLToPath(new URL('bare-upload.js', import.meta.url))
const widths = [42, 9, 9, 6, 14, 8, 8]
const memory = { create: [], upload: [], restore: [] }

await withDirectory((directory) => withS3(directory, {}, (s3) => compareAll(directory, s3)))
for (const [command, peaks] of Object.entries(memory)) if (peaks.length > 0) addMemory(command, peaks)

async function compareAll(directory, s3) {
  for (const bucket of ['pgbk', 'others', 'pgbackrest']) await s3.addBucket(bucket)
  const work = async (server) => {
    fillInOnePlace(server, Number(options.megabytes))
    const world = await prepare(directory, s3, server)
    if (options.parts.includes('a')) await compareSending(world)
    const rest = pgBackRest(server, join(directory, 'pgbackrest'), inBucket('pgbackrest', s3))
    if (typeof rest !== 'object') return process.stdout.write(`${rest ?? 'pgBackRest is not installed'}\n`)
    if (options.parts.includes('b')) await compareCreating(world, rest)
    if (options.parts.includes('c')) await compareRestoring(world, rest)
  }
  await withServer(bin, directory, work, [], archiving)
}

/** A root with a packed backup, and a key. */
async function prepare(directory, s3, server) {
  const [root, key] = [join(directory, 'root'), join(directory, 'key.txt')]
  check(asUser(['mkdir', root]))
  check(asUser([...pgbk, 'key', 'new', key, '-q']))
  const recipient = /age1\w+/.exec(readFileSync(key, 'utf8'))[0]
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', PGBK_IDENTITY_FILE: key, ...s3.env }
  let count = 0
  /** The words of a command whose store nobody has used, or which was used last. */
  const words = (isNew, ...args) => {
    const store = `store${isNew ? ++count : count}`
    const config = join(directory, `${store}.yaml`)
    writeFileSync(config, `stores: {${store}: {url: s3://pgbk/${store}, recipients: [${recipient}]}}\n`)
    return asUser([
      ...pgbk,
      ...args.map((word) => word.replace('STORE', store)),
      '-q',
      '-C',
      root,
      '--config',
      config,
    ])
  }
  const timed = async (isNew, command, ...args) => {
    const { ms, peak } = await measure(words(isNew, command, ...args), { env, watchMemory: true })
    memory[command].push(peak)
    return ms
  }
  const create = (...args) => ['create', '--packed', ...args, ...server.connect]
  await timed(true, ...create())
  const [id] = readdirSync(join(root, 'data/backup')).filter((name) => !name.startsWith('.'))
  const image = join(root, 'data/backup', id, 'snapshot.squashfs')
  const megabytes = (statSync(image).size / 1e6).toFixed(0)
  process.stdout.write(`PostgreSQL ${options.major}, ${options.megabytes} MB, an image of ${megabytes} MB\n`)
  printRow(['', 'pgbk', 'other', 'ratio', 'pairs', 'target', ''])
  return { directory, s3, env, timed, create, id, image }
}

async function compareSending({ s3, env, timed, id, image }) {
  const byPgbk = () => timed(true, 'upload', id, '--to', 'STORE')
  // Each is told of the authority in its own way.
  const { AWS_CA_BUNDLE: _pgbks, ...others } = { ...env, NODE_EXTRA_CA_CERTS: s3.authority }
  let count = 0
  const byRclone = async () => {
    const remote = `:s3,env_auth,provider=Ceph,region=${s3.region},endpoint='${s3.env.AWS_ENDPOINT_URL}':others/${++count}`
    const settings = ['--ca-cert', s3.authority, '--config', '/dev/null', '--s3-no-check-bucket']
    return (await measure(asUser(['rclone', 'copyto', image, remote, ...settings]), { env: others })).ms
  }
  const bySdk = async () => {
    const words = [process.execPath, bareUpload, image, 'others', `bare${++count}`]
    return (await measure(asUser(words), { env: others })).ms
  }
  addRatio('upload (rclone copyto)', await pairs(runs, byPgbk, byRclone), 1.2)
  addRatio('upload (SDK, 4 parts of 16 MB at once)', await pairs(runs, byPgbk, bySdk), 1.2)
}

async function compareCreating({ timed, create }, rest) {
  const byPgbk = () => timed(true, ...create('--upload'))
  const byRest = async () => (await rest.backUp()).ms
  addRatio('create --packed --upload (pgBackRest full)', await pairs(runs, byPgbk, byRest), 1.1)
}

async function compareRestoring({ directory, timed, create }, rest) {
  await timed(true, ...create('--upload'))
  await rest.backUp()
  const to = join(directory, 'restored')
  const gone = () => check(['sh', '-c', `rm -rf '${to}' && sync`])
  const byPgbk = async () => {
    const port = String(await freePort())
    const words = ['-D', to, '--to-snapshot', '--start', '--port', port]
    const ms = await timed(false, 'restore', '--from', 'STORE', ...words)
    check(
      asUser([`${bin}/psql`, '-XAtc', 'select 1', '-h', directory, '-p', port, '-U', 'bench', 'postgres']),
    )
    check(asUser([`${bin}/pg_ctl`, '-D', to, '-m', 'immediate', 'stop']))
    gone()
    return ms
  }
  const byRest = async () => {
    const startedAt = performance.now()
    await rest.restore(to)
    const answeredAt = await startAndAsk(bin, to, ['-D', to])
    gone()
    return answeredAt - startedAt
  }
  addRatio('restore --from, to the answer (pgBackRest)', await pairs(runs, byPgbk, byRest), 0.9)
}

function addRatio(title, times, target) {
  const ratios = times.map(({ a, b }) => a / b)
  const seconds = (of) => `${(median(times.map(of)) / 1000).toFixed(2)} s`
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  const isMet = median(ratios) <= target
  addRow(
    title,
    [seconds(({ a }) => a), seconds(({ b }) => b), median(ratios).toFixed(2), spread, String(target)],
    isMet,
  )
}

function addMemory(command, peaks) {
  const most = Math.max(...peaks) / 1024 ** 2
  addRow(`memory of ${command}`, [`${most.toFixed(0)} MB`, '', '', '', '200 MB'], most < 200)
}

function addRow(title, figures, isMet) {
  printRow([title, ...figures, isMet ? 'met' : 'MISSED'])
  if (!isMet) process.exitCode = 1
}

function printRow(cells) {
  const padded = cells.map((cell, column) =>
    column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
  )
  process.stdout.write(`${padded.join('')}\n`)
}
