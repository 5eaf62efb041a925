// Packed backups: made, opened and restored, beside pg_basebackup's compressed tar, pgBackRest, the plain backup, and `cp -r` of it.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
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
import { archiving, inDirectory, pgBackRest } from './pgbackrest.js'
import { fillInOnePlace, withServer } from './server.js'

const options = readOptions({ megabytes: 600, runs: 3, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const runs = Number(options.runs)
const widths = [42, 9, 9, 7, 15, 8, 8]
/** The most memory that pgbk itself has held, in any of its commands. */
let memory = 0

await withDirectory(async (directory) => {
  const root = join(directory, 'root')
  check(asUser(['mkdir', root]))
  process.stdout.write(`PostgreSQL ${options.major}, ${options.megabytes} MB, no further tablespace\n`)
  printRow(['', 'pgbk', 'other', 'ratio', 'pairs', 'target', ''])
  const work = async (server) => {
    fillInOnePlace(server, Number(options.megabytes))
    await compareCreating(directory, root, server)
  }
  await withServer(bin, directory, work, [], archiving)
  const [plain, image] = idsIn(root)
  await compareOpening(root, plain, image)
  await compareRestoring(directory, root, plain, image)
})
addFigure('memory of pgbk itself', `${(memory / 1e6).toFixed(0)} MB`, memory < 150e6, '150 MB')

async function compareCreating(directory, root, server) {
  const tar = join(directory, 'tar')
  const packed =
    (...args) =>
    () =>
      timed(asUser(words(root, 'create', '--packed', ...args, ...server.connect)))
  const baseBackup = (...args) =>
    asUser([`${bin}/pg_basebackup`, '-Ft', '-c', 'fast', ...args, ...server.connect])
  const byBaseBackup = async () => {
    check(['rm', '-rf', tar])
    return (await measure(baseBackup('-D', tar, '-Z', 'client-zstd:level=1,workers=2'))).ms
  }
  const bare = join(directory, 'bare.squashfs')
  const piped = `${baseBackup('-D', '-', '-X', 'fetch').join(' ')} | ${packing(bare)} && sync "${bare}"`
  const byPipe = async () => {
    check(['rm', '-f', bare])
    return (await measure(['sh', '-c', piped])).ms
  }
  addTimes('pg_basebackup | mksquashfs, pg_basebackup', await pairs(runs, byPipe, byBaseBackup))
  addTimes(
    'create --packed --no-verify, the same',
    await pairs(runs, packed('--no-verify'), byBaseBackup),
    1.25,
  )
  addTimes('create --packed, the same', await pairs(runs, packed(), byBaseBackup), 1.5)
  const size = statSync(imageIn(root, idsIn(root)[0])).size
  const tars = Number(check(['du', '-sb', tar]).split('\t')[0])
  addRatio('its size', megabytes(size), megabytes(tars), [size / tars], 1.05)
  await comparePgBackRest(directory, server, packed())
  await timed(asUser(words(root, 'create', ...server.connect)))
}

async function comparePgBackRest(directory, server, create) {
  const rest = pgBackRest(server, join(directory, 'pgbackrest'), inDirectory(join(directory, 'repository')))
  if (typeof rest !== 'object') return process.stdout.write(`${rest ?? 'pgBackRest is not installed'}\n`)
  const byRest = async () => (await rest.backUp()).ms
  addTimes('create --packed, pgBackRest --type=full', await pairs(runs, create, byRest), 1.25)
}

async function compareOpening(root, plain, image) {
  const query = ['--', 'psql', '-XAtc', 'select 1', 'postgres']
  const starters =
    process.getuid() === 0
      ? { 'by a user': asUser, 'by root': (command) => command }
      : { 'by a user': asUser }
  for (const [who, as] of Object.entries(starters)) {
    const answer = (id) => () => timed(as(words(root, 'local-run', id, ...query)))
    const times = await pairs(runs, answer(image), answer(plain))
    addTimes(`local-run ${who}, of the plain one`, times, 1.3)
    const first = median(times.map(({ a }) => a))
    addFigure(`  until its end, after the first answer`, seconds(first), first < 1000, '1 s')
  }
}

async function compareRestoring(directory, root, plain, image) {
  const [to, copy] = [join(directory, 'restored'), join(directory, 'copy')]
  const restored = async () => {
    check(['rm', '-rf', to])
    return timed(asUser(words(root, 'restore', image, '-D', to)))
  }
  const from = join(root, 'data/backup', plain, 'snapshot')
  const copied = async () => {
    check(['rm', '-rf', copy])
    return (await measure(asUser(['sh', '-c', 'cp -r "$1" "$2" && sync -f "$2"', 'sh', from, copy]))).ms
  }
  const unpacked = async () => {
    check(['rm', '-rf', to])
    const script = 'unsquashfs -no-progress -no-xattrs -d "$2" "$1" && sync -f "$2"'
    return (await measure(asUser(['sh', '-c', script, 'sh', imageIn(root, image), to]))).ms
  }
  addTimes('unsquashfs, cp -r, both flushed', await pairs(runs, unpacked, copied))
  addTimes('restore, cp -r, both flushed', await pairs(runs, restored, copied), 0.7)
}

/** What pgbk has mksquashfs do. */
function packing(image) {
  const compression = [
    '-comp',
    'zstd',
    '-Xcompression-level',
    '1',
    '-b',
    '128K',
    '-processors',
    '2',
    '-mem',
    '128M',
  ]
  return asUser([
    'mksquashfs',
    '-',
    image,
    '-tar',
    '-no-duplicates',
    '-quiet',
    '-no-progress',
    ...compression,
  ]).join(' ')
}

function words(root, command, ...args) {
  return [...pgbk, command, '-q', '-C', root, ...args]
}

async function timed(command) {
  const { ms, peak } = await measure(command, { watchMemory: true })
  memory = Math.max(memory, peak)
  return ms
}

/** Newest first. */
function idsIn(root) {
  const names = readdirSync(join(root, 'data/backup')).filter((name) => !name.startsWith('.'))
  return names.sort().reverse()
}

function imageIn(root, id) {
  return join(root, 'data/backup', id, 'snapshot.squashfs')
}

/** The middle of each, and of the ratios of the pairs; one without a target only explains others. */
function addTimes(title, times, target) {
  const [ours, others] = [times.map(({ a }) => a), times.map(({ b }) => b)]
  const ratios = times.map(({ a, b }) => a / b)
  addRatio(title, seconds(median(ours)), seconds(median(others)), ratios, target)
}

function addRatio(title, ours, others, ratios, target) {
  const span = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  const ratio = median(ratios)
  printRow([title, ours, others, ratio.toFixed(2), span, ...verdict(target, ratio <= target)])
}

function addFigure(title, figure, isMet, target) {
  printRow([title, figure, '', '', '', ...verdict(target, isMet)])
}

function verdict(target, isMet) {
  if (target === undefined) return ['', '']
  if (!isMet) process.exitCode = 1
  return [String(target), isMet ? 'met' : 'MISSED']
}

function printRow(cells) {
  const [first, ...rest] = cells.map((cell, index) => [cell, widths[index]])
  const line = first[0].padEnd(first[1]) + rest.map(([cell, width]) => cell.padStart(width)).join('')
  process.stdout.write(`${line.trimEnd()}\n`)
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
