// `pgbk restore` to a server that answers, against `cp -r` of the snapshot, start and first answer.
import { readFileSync } from 'node:fs'
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
import { fill, startAndAsk, withServer } from './server.js'

const options = readOptions({ megabytes: 1536, runs: 5, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`

await withDirectory(async (directory) => {
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  await withServer(bin, directory, async (server) => {
    fill(server, directory, Number(options.megabytes))
    await measure(asUser([...pgbk, 'create', '-C', root, ...server.connect]))
  })
  check(['rm', '-rf', join(directory, 'server'), join(directory, 'space')])
  const [id] = check(['ls', join(root, 'data/backup')])
    .trim()
    .split('\n')
  process.stdout.write(`PostgreSQL ${options.major}, ${options.megabytes} MB, one tablespace\n`)
  const memory = []
  const byPgbk = async () => {
    const { ms, peak } = await restore(root)
    memory.push(peak)
    return ms
  }
  const times = await pairs(Number(options.runs), byPgbk, () => byCopy(directory, root, id))
  printRatio('pgbk restore against cp -r, start and first answer', times, 1.1)
  const most = Math.max(...memory) / 1024 ** 2
  print("pgbk's own memory", `${most.toFixed(1)} MB at most`, most < 200, 'below 200 MB')
})

/** Times a restore, with the disk at rest before; its server and its files go afterwards. */
async function restore(root) {
  check(['sync'])
  const run = await measure(asUser([...pgbk, 'restore', '-q', '-C', root, '--name', 'bench']), {
    watchMemory: true,
  })
  const instance = join(root, 'data/instances/bench')
  const [pid] = readFileSync(join(instance, 'data/postmaster.pid'), 'utf8').split('\n')
  check(asUser(['kill', '-QUIT', pid]))
  for (const words of [
    ['stop', 'bench'],
    ['delete', 'bench', '--yes'],
  ])
    check(asUser([...pgbk, 'instance', ...words, '-q', '-C', root]))
  check(['sync'])
  return run
}

async function byCopy(directory, root, id) {
  const copy = join(directory, 'copy')
  check(['sync'])
  const startedAt = performance.now()
  check(asUser(['cp', '-r', join(root, 'data/backup', id, 'snapshot'), copy]))
  const answeredAt = await startAndAsk(bin, copy, ['-D', 'conf'])
  check(['rm', '-rf', copy])
  check(['sync'])
  return answeredAt - startedAt
}
