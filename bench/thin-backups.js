// What a backup takes of an XFS with reflinks when so many of a hundred pages have changed since the last one, and how long it takes
// beside one that shares nothing. As root, who mounts the file system.
import { statfsSync } from 'node:fs'
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
import { withServer } from './server.js'

const options = readOptions({ megabytes: 2048, percent: '3,25', runs: 3, major: newestMajor() })
const bin = `/usr/lib/postgresql/${options.major}/bin`
const megabyte = 2 ** 20

await withDirectory(async (directory) => {
  const root = join(directory, 'disk')
  const image = `${root}.img`
  check(['mkdir', root])
  check(['truncate', '-s', `${4 * Number(options.megabytes) + 2048}M`, image])
  check(['/usr/sbin/mkfs.xfs', '-q', '-m', 'reflink=1', image])
  const loop = check(['/usr/sbin/losetup', '-f', '--show', '--direct-io=on', image]).trim()
  try {
    check(['mount', loop, root])
    check(['chown', `${process.env.PGBK_BENCH_USER ?? 'postgres'}:`, root])
    await withServer(bin, directory, (server) => compare(server, root))
  } finally {
    check(['umount', '--lazy', root])
    check(['/usr/sbin/losetup', '-d', loop])
  }
})

async function compare(server, root) {
  const pages = Number(options.megabytes) * 128
  // A page has three rows of the four that would fill it: a changed row stays in its page.
  server.sql('CREATE TABLE large (n int, filler text) WITH (fillfactor = 80)')
  server.sql(`INSERT INTO large SELECT n, repeat(md5(n::text), 60) FROM generate_series(1, ${pages * 3}) n`)
  server.sql('VACUUM FREEZE large')
  server.sql('CHECKPOINT')
  const create = (...args) =>
    measure(asUser([...pgbk, 'create', '-q', '-C', root, ...args, ...server.connect]))
  await create()
  for (const percent of String(options.percent).split(',').map(Number)) {
    const changed = change(server, percent)
    const before = used(root)
    await create()
    const taken = used(root) - before
    // Two segments of WAL, one file.
    const ratio = (taken - 16 * megabyte) / changed
    const text = `${(taken / megabyte).toFixed(0)} MB for ${(changed / megabyte).toFixed(0)} MB of changed pages and 16 MB of WAL`
    print(
      `${percent} % changed: taken of the disk`,
      `${text}: ${ratio.toFixed(2)}`,
      ratio <= 1.5,
      'at most 1.5',
    )
    const timed = (args) => async () => {
      change(server, percent)
      check(['sync'])
      const { ms } = await create(...args)
      const [newest] = check(asUser([...pgbk, 'list', '--json', '-C', root])).match(/\d{8}T\d{6}Z/) ?? []
      check(asUser([...pgbk, 'delete', '-q', '--yes', newest, '-C', root]))
      return ms
    }
    const times = await pairs(Number(options.runs), timed([]), timed(['--independent']))
    printRatio(`${percent} % changed: create against create --independent`, times, Number.POSITIVE_INFINITY)
  }
}

/** @returns the bytes of the pages that were changed. */
function change(server, percent) {
  const every = Math.round(100 / percent)
  server.sql(`UPDATE large SET n = n WHERE n % ${3 * every} = 1`)
  server.sql('CHECKPOINT')
  return (Number(options.megabytes) * 128 * 8192) / every
}

function used(root) {
  check(['sync', '-f', root])
  const { blocks, bfree, bsize } = statfsSync(root)
  return (blocks - bfree) * bsize
}
