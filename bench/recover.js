import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asUser, check, pgbk } from './measure.js'
import { freePort } from './server.js'

/** The only backup of a root. */
export function backupIn(root) {
  const backups = join(root, 'data/backup')
  return join(
    backups,
    readdirSync(backups).find((name) => /^\d/.test(name)),
  )
}

/** `pgbk local-run --to-time`: the ms to the answer, and those of the replay. */
export async function byPgbk(root, moment, copy) {
  const script = `psql -XAtc 'select 1'; cat "${root}"/data/run/*/log`
  const [file, ...args] = asUser([
    ...pgbk,
    'local-run',
    '-q',
    '-C',
    root,
    '--to-time',
    moment,
    '--working-copy',
    copy,
    '--',
    'sh',
    '-c',
    script,
  ])
  const startedAt = performance.now()
  const child = spawn(file, args, {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin' },
  })
  let answer
  let log = ''
  child.stdout.on('data', (chunk) => {
    answer ??= performance.now() - startedAt
    log += chunk
  })
  const status = await new Promise((resolve) => child.on('close', resolve))
  if (status !== 0) throw new Error(`pgbk local-run ended with ${status}`)
  return { answer, replay: replayIn(log) }
}

/**
 * The same by PostgreSQL alone, with `cp` as restore_command, on a copy that is made before the clock starts. Who does it by hand has
 * fsync on; off is how a run of pgbk has it.
 */
export async function byHand(bin, root, directory, moment, fsync = 'off') {
  const copy = join(directory, 'copy')
  check(asUser(['cp', '-r', join(backupIn(root), 'snapshot'), copy]))
  check(['sync'])
  check(asUser(['touch', join(copy, 'data/recovery.signal')]))
  const port = await freePort()
  const settings = {
    fsync,
    restore_command: `cp "${join(backupIn(root), 'wal')}/%f" "%p"`,
    recovery_target_time: moment,
    recovery_target_action: 'promote',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [file, ...args] = asUser([`${bin}/postgres`, '-D', 'conf', '-p', String(port), ...flags])
  const startedAt = performance.now()
  const server = spawn(file, args, { cwd: copy, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk) => {
      log += chunk
    })
  const ended = new Promise((resolve) => server.on('close', resolve))
  const [psql, ...words] = asUser([
    `${bin}/psql`,
    '-XAtc',
    'select pg_is_in_recovery()',
    '-h',
    '/tmp',
    '-p',
    String(port),
    '-U',
    'bench',
    'postgres',
  ])
  for (;;) {
    if (server.exitCode !== null) throw new Error(`the server did not start:\n${log}`)
    if (spawnSync(psql, words, { cwd: '/', encoding: 'utf8' }).stdout === 'f\n') break
    await sleep(20)
  }
  const answer = performance.now() - startedAt
  server.kill('SIGQUIT')
  await ended
  check(['rm', '-rf', copy])
  return { answer, replay: replayIn(log) }
}

/** PostgreSQL 15 and newer say how long they have replayed. */
function replayIn(log) {
  const seconds = /redo done at .* elapsed: ([\d.]+) s/.exec(log)?.[1]
  if (seconds === undefined) throw new Error(`no time in the log:\n${log}`)
  return Number(seconds) * 1000
}
