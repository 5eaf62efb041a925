// A cluster of very many files, as schema-per-tenant applications have: create, local-run, restore and delete beside what they do
// by hand, and the most memory that pgbk's own process takes.
import { readdirSync, writeFileSync } from 'node:fs'
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
  printTime,
  readOptions,
  withDirectory,
} from './measure.js'
import { withServer } from './server.js'

const options = readOptions({ files: 100_000, runs: 3, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const memory = new Map()

await withDirectory((directory) =>
  withServer(bin, directory, async (server) => {
    addFiles(server, directory, Number(options.files))
    const root = join(directory, 'root')
    const call = (...args) => asUser([...pgbk, '-C', root, ...args])
    const runs = Number(options.runs)
    check(asUser(['mkdir', root]))

    const byPgbk = () => afterwards(root, () => own('create', call('create', ...server.connect)))
    const byHand = () => afterwards(root, () => basebackup(server, root))
    const created = await pairs(runs, byPgbk, byHand)
    printRatio('pgbk create against pg_basebackup and pg_verifybackup', created, 1.1)

    check(call('create', ...server.connect))
    const backup = join(root, 'data', 'backup', idIn(root))
    const opened = []
    for (let run = 0; run < runs; run++)
      opened.push(await own('local-run', call('local-run', '--', 'psql', '-XAtc', 'select 1')))
    printTime('pgbk local-run to the end of a query', opened, 1000)

    const target = join(root, 'restored')
    const restore = () => afterwards(root, () => own('restore', call('restore', '-D', target)))
    const copy = () => afterwards(root, () => copied(join(backup, 'snapshot'), target))
    printRatio('pgbk restore -D against cp -r and sync -f', await pairs(runs, restore, copy), 1.3)

    const again = join(root, 'again')
    const remove = () =>
      after(
        () =>
          check(
            asUser([
              'sh',
              '-c',
              'mkdir -p "$1/data/backup" && cp -r "$2" "$1/data/backup"',
              'sh',
              again,
              backup,
            ]),
          ),
        () => own('delete', asUser([...pgbk, 'delete', '--yes', '--last', idIn(root), '-C', again])),
      )
    const removeByHand = () =>
      after(
        () => check(asUser(['cp', '-r', backup, again])),
        async () => (await measure(asUser(['rm', '-rf', again]))).ms,
      )
    printRatio('pgbk delete against rm -rf', await pairs(runs, remove, removeByHand), 1.3)
    printMemory()
  }),
)

function printMemory() {
  for (const [command, peak] of memory) {
    const most = command === 'create' ? 120 : 150
    const megabytes = peak / 1024 ** 2
    print(
      `pgbk's own memory in ${command}`,
      `${megabytes.toFixed(1)} MB`,
      megabytes < most,
      `below ${most} MB`,
    )
  }
}

/** Empty ones and such of one page in turn, as small tables and their indexes have. They have names that no relation has. */
function addFiles({ sql }, directory, count) {
  const database = join(
    directory,
    'server',
    'base',
    sql("SELECT oid FROM pg_database WHERE datname = 'postgres'"),
  )
  const page = Buffer.alloc(8192)
  for (let file = 0; file < count; file++)
    writeFileSync(join(database, String(1_000_000 + file)), file % 4 === 1 || file % 4 === 2 ? page : '')
  if (process.getuid() === 0) check(['chown', '-R', '--reference', directory, database])
}

async function own(name, command) {
  const { ms, peak } = await measure(command, { watchMemory: true })
  memory.set(name, Math.max(peak, memory.get(name) ?? 0))
  return ms
}

async function basebackup({ connect }, root) {
  const flags = ['-Fp', '-X', 'stream', '-c', 'fast', '--progress']
  const { ms } = await measure(
    asUser([`${bin}/pg_basebackup`, '-D', join(root, 'data'), ...flags, ...connect]),
  )
  const verified = await measure(asUser([`${bin}/pg_verifybackup`, 'data']), { cwd: root })
  return ms + verified.ms
}

async function copied(from, to) {
  const { ms } = await measure(asUser(['cp', '-r', from, to]))
  return ms + (await measure(asUser(['sync', '-f', to]))).ms
}

async function after(prepare, work) {
  prepare()
  check(['sync'])
  return await work()
}

/** Times work with the disk at rest; what it has made goes afterwards. */
async function afterwards(root, work) {
  const before = new Set(entriesIn(root))
  check(['sync'])
  const ms = await work()
  for (const path of entriesIn(root)) if (!before.has(path)) check(['rm', '-rf', path])
  return ms
}

function entriesIn(root) {
  const backups = join(root, 'data', 'backup')
  return [root, backups].flatMap((directory) => {
    try {
      return readdirSync(directory).map((name) => join(directory, name))
    } catch {
      return []
    }
  })
}

function idIn(root) {
  return readdirSync(join(root, 'data', 'backup')).find((name) => /^\d{8}T\d{6}Z$/.test(name))
}
