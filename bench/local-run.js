// `pgbk local-run -- psql` on backups of several sizes, against a full copy that is started, and against pgBackRest.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import {
  asUser,
  check,
  measure,
  median,
  newestMajor,
  pgbk,
  printRatio,
  printTime,
  readOptions,
  withDirectory,
} from './measure.js'
import { fill, startAndAsk, withServer } from './server.js'

const options = readOptions({ megabytes: '200,2048,6144', runs: 9, others: 3, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const query = ['psql', '-XAtc', 'select 1']
const users =
  process.getuid() === 0
    ? { 'an ordinary user': asUser, root: (command) => command }
    : { 'an ordinary user': asUser }
await withDirectory(async (directory) => {
  process.stdout.write(`PostgreSQL ${options.major}\n`)
  const backups = []
  for (const megabytes of options.megabytes.split(',').map(Number)) {
    const place = join(directory, `${megabytes}`)
    check(asUser(['mkdir', place]))
    backups.push({ megabytes, root: await makeBackup(place, megabytes) })
  }
  for (const [user, as] of Object.entries(users)) await compareSizes(user, as, backups)
})

/** The sizes in turn, A B C A B C ..., so that whatever else the machine does meets all of them. */
async function compareSizes(user, as, backups) {
  const rounds = []
  for (let count = 0; count <= Number(options.runs); count++) {
    const round = []
    for (const { root } of backups) round.push(await answered(as([...localRun(root), ...query])))
    if (count > 0) rounds.push(round) // the first one warms up
  }
  for (const [size, { megabytes, root }] of backups.entries()) {
    const title = `${megabytes} MB as ${user}`
    printTime(
      `${title}, command to answer`,
      rounds.map((round) => round[size].answer),
      1000,
    )
    printTime(
      `${title}, command to its end`,
      rounds.map((round) => round[size].end),
      2000,
    )
    process.stdout.write(`${title}, written at the answer: ${(written(as, root) / 1024).toFixed(1)} MB\n`)
    const times = rounds.map((round) => ({ a: round[size].answer, b: round[0].answer }))
    if (size > 0) printRatio(`${title} against ${backups[0].megabytes} MB`, times, 1.1)
  }
}

function localRun(root) {
  return [...pgbk, 'local-run', '-q', '-C', root, '--working-copy', 'overlay', '--']
}

/** The kilobytes in the working copy's own layer once the query was answered. */
function written(as, root) {
  const script = `psql -XAtc 'select 1' >&2; du -sk "${root}"/data/run/*/upper`
  return Number.parseInt(check(as([...localRun(root), 'sh', '-c', script])), 10)
}

/** A root with one backup; the other ways are timed at once, and their files go. */
async function makeBackup(directory, megabytes) {
  const { root, repository } = await makeBackups(directory, megabytes)
  await timeOther(`${megabytes} MB, cp -r, start and query`, () => byCopy(root, directory))
  if (typeof repository === 'function')
    await timeOther(`${megabytes} MB, pgBackRest restore, start and query`, () =>
      byPgBackRest(repository, directory),
    )
  else process.stdout.write(`pgBackRest left out: ${repository}\n`)
  check(['rm', '-rf', join(directory, 'repository')])
  check(['sync'])
  return root
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
    `${title}: ${(median(times) / 1000).toFixed(2)} s (min ${fastest} s, max ${slowest} s, ${times.length} runs)\n`,
  )
}

async function byCopy(root, directory) {
  const copy = join(directory, 'copy')
  const startedAt = performance.now()
  const [id] = check(['ls', join(root, 'data/backup')])
    .trim()
    .split('\n')
  check(asUser(['cp', '-r', join(root, 'data/backup', id, 'snapshot'), copy]))
  const answeredAt = await startAndAsk(bin, copy, ['-D', 'conf'])
  check(['rm', '-rf', copy])
  return answeredAt - startedAt
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
  const answeredAt = await startAndAsk(bin, data, ['-D', data])
  check(['rm', '-rf', data, space])
  return answeredAt - startedAt
}
