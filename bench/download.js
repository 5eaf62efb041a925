// `pgbk download` against cp and ssh with tar plus pg_verifybackup, and its archives against tar with zstd.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
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
import { fill, freePort, withServer } from './server.js'

const options = readOptions({ megabytes: 1024, runs: 5, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const memory = []

await withDirectory(async (directory) => {
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  await withServer(bin, directory, async (server) => {
    fill(server, directory, Number(options.megabytes))
    check(asUser([...pgbk, 'create', '-q', '-C', root, ...server.connect]))
  })
  const [id] = check(['ls', join(root, 'data/backup')])
    .trim()
    .split('\n')
  const size = check(['du', '-sm', join(root, 'data/backup', id)]).split('\t')[0]
  process.stdout.write(`PostgreSQL ${options.major}, a backup of ${size} MB, one tablespace\n`)
  const from = `data/backup/${id}`
  const bench = { directory, root, id, from }
  const copy = (to) => `mkdir -p ${to}/data/backup && cp -r ${root}/${from} ${to}/${from}`
  await compare('from a directory against cp -r and pg_verifybackup', 1.1, bench, {
    pgbk: (to) => byPgbk(['download', id, '--from', root, '-C', to]),
    byHand: (to) => byShell(`${copy(to)} && ${verify(to, from)}`),
  })
  // What pgbk has downloaded is on disk; what cp has copied is in memory, for the most part.
  await compare('the same, with sync -f after cp', 1.1, bench, {
    pgbk: (to) => byPgbk(['download', id, '--from', root, '-C', to]),
    byHand: (to) => byShell(`${copy(to)} && sync -f ${to} && ${verify(to, from)}`),
  })
  await withSshd(directory, async (env, ssh) => {
    await compare('over ssh against ssh tar and pg_verifybackup', 1.15, bench, {
      pgbk: (to) => byPgbk(['download', id, '--from', `bench:${root}`, '-C', to], env),
      byHand: (to) =>
        byShell(`${ssh} bench tar -C ${root} -c ${from} | tar -C ${to} -x && ${verify(to, from)}`),
    })
  })
  await compare('--archive in zstd against tar c | zstd -1 -T0', 1.3, bench, {
    pgbk: (to) => byPgbk(['download', id, '-C', root, '--archive', `${to}/b.tar.zst`]),
    byHand: (to) => byShell(`tar -C ${root} -c ${from} | zstd -q -1 -T0 -c > ${to}/b.tar.zst`),
  })
  const most = Math.max(...memory) / 1024 ** 2
  print("pgbk's own memory", `${most.toFixed(1)} MB at most`, most < 200, 'below 200 MB')
})

async function compare(title, target, { directory }, { pgbk: a, byHand: b }) {
  const times = await pairs(
    Number(options.runs),
    () => timed(directory, a),
    () => timed(directory, b),
  )
  printRatio(title, times, target)
}

/** Times work on a new directory, with the disk at rest before; what it wrote goes afterwards. */
async function timed(directory, work) {
  const target = join(directory, 'target')
  check(asUser(['mkdir', target]))
  check(['sync'])
  const ms = await work(target)
  check(['rm', '-rf', target])
  check(['sync'])
  return ms
}

async function byPgbk(words, env = { PATH: '/usr/local/bin:/usr/bin:/bin' }) {
  const { ms, peak } = await measure(asUser([...pgbk, ...words]), { watchMemory: true, env })
  memory.push(peak)
  return ms
}

async function byShell(script) {
  return (await measure(asUser(['sh', '-c', script]))).ms
}

function verify(to, from) {
  return `cd ${to}/${from}/snapshot && ${bin}/pg_verifybackup -q data`
}

/** A sshd on loopback for the user whom everything runs as, and an environment whose ssh knows it. */
async function withSshd(directory, work) {
  const place = join(directory, 'ssh')
  const port = await freePort()
  check(asUser(['mkdir', '-p', join(place, 'bin')]))
  for (const key of ['host', 'user'])
    check(asUser(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(place, key)]))
  const user = check(asUser(['id', '-un'])).trim()
  const write = (name, text) => writeFileSync(join(place, name), text, { mode: 0o755 })
  write(
    'sshd_config',
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${place}/host\nPidFile ${place}/pid\nAuthorizedKeysFile ${place}/user.pub\nStrictModes no\nUsePAM no\n`,
  )
  write(
    'config',
    `Host bench\n HostName 127.0.0.1\n Port ${port}\n User ${user}\n IdentityFile ${place}/user\n IdentitiesOnly yes\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n`,
  )
  write('bin/ssh', `#!/bin/sh\nexec /usr/bin/ssh -F ${place}/config "$@"\n`)
  check(asUser(['/usr/sbin/sshd', '-f', join(place, 'sshd_config'), '-E', join(place, 'log')]))
  try {
    await work({ PATH: `${place}/bin:/usr/local/bin:/usr/bin:/bin` }, `${place}/bin/ssh`)
  } finally {
    spawnSync('sh', ['-c', `kill $(cat ${place}/pid)`])
  }
}
