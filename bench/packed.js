// Packed backups: made, opened and restored, beside pg_basebackup's compressed tar, the plain backup, and `cp -r` of it.
import { statSync } from 'node:fs'
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
import { fillInOnePlace, withServer } from './server.js'

const options = readOptions({ megabytes: 600, runs: 3, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const runs = Number(options.runs)

await withDirectory(async (directory) => {
  const [root, tar] = [join(directory, 'root'), join(directory, 'tar')]
  check(asUser(['mkdir', root]))
  const on = (command, ...args) => asUser([...pgbk, command, '-q', '-C', root, ...args])
  process.stdout.write(`PostgreSQL ${options.major}, ${options.megabytes} MB, no further tablespace\n`)
  await withServer(bin, directory, async (server) => {
    fillInOnePlace(server, Number(options.megabytes))
    const packed =
      (...args) =>
      async () =>
        (await measure(on('create', '--packed', ...args, ...server.connect))).ms
    const byBaseBackup = async () => {
      check(['rm', '-rf', tar])
      const words = ['-D', tar, '-Ft', '-Z', 'client-zstd:level=1,workers=2', '-c', 'fast', ...server.connect]
      return (await measure(asUser([`${bin}/pg_basebackup`, ...words]))).ms
    }
    printRatio(
      'create --packed --no-verify against pg_basebackup -Ft in zstd',
      await pairs(runs, packed('--no-verify'), byBaseBackup),
      1.25,
    )
    printRatio(
      'create --packed against pg_basebackup -Ft in zstd',
      await pairs(runs, packed(), byBaseBackup),
      1.5,
    )
    await measure(on('create', ...server.connect))
  })
  const [plain, image] = ids(root)
  const size = statSync(join(root, 'data/backup', image, 'snapshot.squashfs')).size
  const tars = check(['du', '-sb', tar]).split('\t')[0]
  const ratio = size / Number(tars)
  print('its size', `${(size / 1e6).toFixed(0)} MB, ratio ${ratio.toFixed(3)}`, ratio <= 1.05, 'at most 1.05')
  const answer = (id) => async () =>
    (await measure(on('local-run', id, '--', 'psql', '-XAtc', 'select 1', 'postgres'))).ms
  printRatio(
    'local-run of the packed one against the plain one',
    await pairs(runs, answer(image), answer(plain)),
    1.3,
  )
  const restored = async () => {
    const { ms } = await measure(on('restore', image, '-D', join(directory, 'restored')))
    check(['rm', '-rf', join(directory, 'restored')])
    return ms
  }
  const copied = async () => {
    const copy = join(directory, 'copy')
    const { ms } = await measure(
      asUser([
        'sh',
        '-c',
        `cp -r "$1" "$2" && sync -f "$2"`,
        'sh',
        join(root, 'data/backup', plain, 'snapshot'),
        copy,
      ]),
    )
    check(['rm', '-rf', copy])
    return ms
  }
  printRatio('restore of the packed one against cp -r and sync -f', await pairs(runs, restored, copied), 0.7)
})

/** Newest first. */
function ids(root) {
  return check(['ls', '-r', join(root, 'data/backup')])
    .trim()
    .split('\n')
}
