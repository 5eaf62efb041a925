import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const pgbk = [process.execPath, fileURLToPath(new URL('../bin/pgbk.js', import.meta.url))]

const cleanPath = '/usr/local/bin:/usr/bin:/bin'

/** Reads `--name value` options, all of them with a default. */
export function readOptions(defaults) {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: String(value) }]),
  )
  return parseArgs({ options }).values
}

/** The newest PostgreSQL whose server programs are where Debian puts them. */
export function newestMajor() {
  const majors = [18, 17, 16, 15, 14, 13]
  return majors.find((major) => existsSync(`/usr/lib/postgresql/${major}/bin/initdb`)) ?? 18
}

/** Runs `work` with a new directory of the user whom servers run as; the directory goes in any case. */
export async function withDirectory(work) {
  const made = mkdtempSync(join(tmpdir(), 'pgbk-bench-'))
  try {
    if (process.getuid() === 0) check(['chown', `${serverUser}:`, made])
    return await work(made)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

const serverUser = process.env.PGBK_BENCH_USER ?? 'postgres'

/** PostgreSQL refuses to run as root: started by root, everything runs as PGBK_BENCH_USER (postgres). */
export function asUser(command) {
  if (process.getuid() !== 0) return command
  const id = (flag) => spawnSync('id', [flag, serverUser], { encoding: 'utf8' }).stdout.trim()
  return ['setpriv', `--reuid=${id('-u')}`, `--regid=${id('-g')}`, '--init-groups', ...command]
}

/** Runs a command to its end and returns what it printed; throws when it fails. */
export function check([file, ...args], options = {}) {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: cleanPath },
    maxBuffer: 1 << 28,
    ...options,
  })
  if (status !== 0) throw new Error(`${[file, ...args].join(' ')}: ${error ?? status}\n${stdout}${stderr}`)
  return stdout
}

/**
 * Runs a command to its end without its output, and returns how long it took, and the most memory that it held itself, with the further
 * processes of Node that it has started.
 */
export async function measure([file, ...args], options = {}) {
  const startedAt = process.hrtime.bigint()
  const child = spawn(file, args, {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: cleanPath },
    ...options,
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-4000)
  })
  const peaks = new Map()
  const look = () => {
    for (const pid of [child.pid, ...nodesBelow(child.pid)])
      peaks.set(pid, peakMemory(pid) ?? peaks.get(pid) ?? 0)
  }
  const timer = options.watchMemory ? setInterval(look, 10) : undefined
  const status = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const ms = Number(process.hrtime.bigint() - startedAt) / 1e6
  clearInterval(timer)
  if (status !== 0) throw new Error(`${[file, ...args].join(' ')}: ${status}\n${said}`)
  return { ms, peak: [...peaks.values()].reduce((sum, bytes) => sum + bytes, 0) }
}

/** The processes of Node below one. */
function nodesBelow(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
    return children.flatMap((child) => [...(isFurtherNode(child, pid) ? [child] : []), ...nodesBelow(child)])
  } catch {
    return [] // it has just ended
  }
}

/** A process that is about to become another program still looks as the one that has forked it, with all its memory. */
function isFurtherNode(pid, parent) {
  const words = (of) => readFileSync(`/proc/${of}/cmdline`, 'utf8')
  return /^node\n/.test(readFileSync(`/proc/${pid}/comm`, 'utf8')) && words(pid) !== words(parent)
}

/** VmHWM: the peak of the process itself, without its children. Only Linux tells. */
function peakMemory(pid) {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined // it has just ended
  }
}

/**
 * Runs two things in turn, A B A B ..., after a warm-up of both, and returns the times of each pair. What runs first
 * changes from pair to pair, so that neither always finds the caches that the other has left.
 */
export async function pairs(count, a, b) {
  await a()
  await b()
  const times = []
  for (let pair = 0; pair < count; pair++) {
    if (pair % 2 === 0) times.push({ a: await a(), b: await b() })
    else times.push({ b: await b(), a: await a() })
  }
  return times
}

export function printRatio(title, times, target) {
  const ratios = times.map(({ a, b }) => a / b)
  const [best, most] = [Math.min(...ratios), Math.max(...ratios)]
  const spread = `min ${best.toFixed(3)}, max ${most.toFixed(3)}, ${times.length} pairs`
  const seconds = `${seconds3(median(times.map(({ a }) => a)))} against ${seconds3(median(times.map(({ b }) => b)))}`
  print(
    title,
    `ratio ${median(ratios).toFixed(3)} (${spread}; ${seconds})`,
    median(ratios) <= target,
    `at most ${target}`,
  )
}

export function printTime(title, times, targetMs) {
  const spread = `min ${seconds3(Math.min(...times))}, max ${seconds3(Math.max(...times))}, ${times.length} runs`
  print(
    title,
    `${seconds3(median(times))} (${spread})`,
    median(times) < targetMs,
    `under ${seconds3(targetMs)}`,
  )
}

export function print(title, figure, met, target) {
  process.stdout.write(`${title}: ${figure}; target ${target}: ${met ? 'met' : 'MISSED'}\n`)
  if (!met) process.exitCode = 1
}

export function median(numbers) {
  const sorted = [...numbers].sort((x, y) => x - y)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function seconds3(ms) {
  return `${(ms / 1000).toFixed(3)} s`
}
