// `pgbk local-run -- psql` on backups of several sizes, against a full copy that is started, and against pgBackRest.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  asUser,
  check,
  measure,
  median,
  newestMajor,
  pgbk,
  print,
  printTime,
  readOptions,
  withDirectory,
} from './measure.js'
import { fill, freePort, withServer } from './server.js'

const options = readOptions({ megabytes: '200,2048,6144', runs: 9, others: 3, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const query = ['psql', '-XAtc', 'select 1']
const users =
  process.getuid() === 0
    ? { 'an ordinary user': asUser, root: (command) => command }
    : { 'an ordinary user': asUser }
/** The median time to the answer for each size, by user. */
const answers = Object.fromEntries(Object.keys(users).map((user) => [user, []]))

for (const megabytes of options.megabytes.split(',').map(Number)) {
  await withDirectory(async (directory) => {
    const { root, repository } = await makeBackups(directory, megabytes)
    process.stdout.write(`${megabytes} MB, PostgreSQL ${options.major}\n`)
    for (const [user, as] of Object.entries(users)) await timePgbk(root, user, as)
    await timeOther('cp -r, start and query', () => byCopy(root, directory))
    if (typeof repository === 'function')
      await timeOther('pgBackRest restore, start and query', () => byPgBackRest(repository, directory))
    else process.stdout.write(`  pgBackRest left out: ${repository}\n`)
  })
}

for (const [user, times] of Object.entries(answers)) {
  const ratio = Math.max(...times) / Math.min(...times)
  print(`slowest size against fastest, as ${user}`, ratio.toFixed(2), ratio <= 1.15, 'at most 1.15')
}

/** A root with one backup, and, where it is installed, a pgBackRest repository with another of the same server. */
async function makeBackups(directory, megabytes) {
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  const space = await withServer(bin, directory, async (server) => {
    const made = fill(server, directory, megabytes)
    await measure(asUser([...pgbk, 'create', '-C', root, ...server.connect]))
    return made
  })
  const repository = backUpByPgBackRest(directory)
  check(['rm', '-rf', join(directory, 'server'), space.location])
  check(['sync'])
  return { root, repository }
}

async function timePgbk(root, user, as) {
  const run = [...pgbk, 'local-run', '-q', '-C', root, '--working-copy', 'overlay', '--']
  const times = []
  await answered(as([...run, ...query]))
  for (let count = 0; count < Number(options.runs); count++)
    times.push(await answered(as([...run, ...query])))
  const toAnswer = times.map(({ answer }) => answer)
  answers[user].push(median(toAnswer))
  printTime(`  command to answer, as ${user}`, toAnswer, 1000)
  printTime(
    `  command to its end, as ${user}`,
    times.map(({ end }) => end),
    2000,
  )
  const upper = `${query[0]} ${query[1]} '${query[2]}' >&2; du -sk "${root}"/data/run/*/upper`
  const kilobytes = Number.parseInt(check(as([...run, 'sh', '-c', upper])), 10)
  process.stdout.write(`  written at the answer, as ${user}: ${(kilobytes / 1024).toFixed(1)} MB\n`)
}

/** The milliseconds until a command has printed its first byte, and until it has ended. */
async function answered([file, ...args]) {
  const startedAt = performance.now()
  const child = spawn(file, args, {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  })
  let answer
  let said = ''
  child.stdout.once('data', () => {
    answer = performance.now() - startedAt
  })
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const status = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (status !== 0 || answer === undefined)
    throw new Error(`${[file, ...args].join(' ')}: ${status}\n${said}`)
  return { answer, end: performance.now() - startedAt }
}

async function timeOther(title, work) {
  const times = []
  for (let count = 0; count < Number(options.others); count++) {
    check(['sync'])
    times.push(await work())
  }
  const [fastest, slowest] = [Math.min(...times), Math.max(...times)].map((ms) => (ms / 1000).toFixed(2))
  process.stdout.write(
    `  ${title}: ${(median(times) / 1000).toFixed(2)} s (min ${fastest} s, max ${slowest} s, ${times.length} runs)\n`,
  )
}

async function byCopy(root, directory) {
  const copy = join(directory, 'copy')
  const startedAt = performance.now()
  const [id] = check(['ls', join(root, 'data/backup')])
    .trim()
    .split('\n')
  check(asUser(['cp', '-r', join(root, 'data/backup', id, 'snapshot'), copy]))
  const answeredAt = await startAndAsk(copy, ['-D', 'conf'])
  check(['rm', '-rf', copy])
  return answeredAt - startedAt
}

/** Starts a server, asks it once it answers, and ends it. Returns the time of the answer. */
async function startAndAsk(cwd, flags) {
  const port = await freePort()
  const [file, ...args] = asUser([`${bin}/postgres`, ...flags, '-p', String(port), '-k', '/tmp'])
  const server = spawn(file, args, { cwd, stdio: 'ignore' })
  const ended = new Promise((resolve) => server.on('close', resolve))
  const [psql, ...words] = asUser([...query, '-h', '/tmp', '-p', String(port), '-U', 'bench', 'postgres'])
  while (spawnSync(psql, words, { cwd: '/' }).status !== 0) {
    if (server.exitCode !== null) throw new Error(`the server in ${cwd} did not start`)
    await sleep(10)
  }
  const answeredAt = performance.now()
  server.kill('SIGQUIT')
  await ended
  return answeredAt
}

/**
 * Backs the stopped server up, so that no archive is needed, in the format that is quickest to restore. Returns what makes
 * its command lines, or the reason why there is none.
 */
function backUpByPgBackRest(directory) {
  const data = join(directory, 'server')
  const repository = (...words) =>
    asUser([
      'pgbackrest',
      '--config=/dev/null',
      '--stanza=bench',
      `--repo1-path=${join(directory, 'repository')}`,
      `--lock-path=${directory}`,
      `--log-path=${directory}`,
      '--log-level-console=error',
      ...words,
    ])
  const [file, ...args] = repository('--no-online', `--pg1-path=${data}`, 'stanza-create')
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: '/', encoding: 'utf8' })
  if (status !== 0) return /ERROR.*/.exec(`${stdout}${stderr}`)?.[0] ?? 'it is not installed'
  check(repository('--no-online', `--pg1-path=${data}`, '--compress-type=lz4', '--process-max=2', 'backup'))
  return repository
}

async function byPgBackRest(repository, directory) {
  const [data, space] = [join(directory, 'restored'), join(directory, 'restored-space')]
  check(asUser(['mkdir', '-m', '700', data, space]))
  const startedAt = performance.now()
  check(
    repository(
      `--pg1-path=${data}`,
      `--tablespace-map-all=${space}`,
      '--type=none',
      '--process-max=2',
      'restore',
    ),
  )
  const answeredAt = await startAndAsk(data, ['-D', data])
  check(['rm', '-rf', data, space])
  return answeredAt - startedAt
}
