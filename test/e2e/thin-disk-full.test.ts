import { expect } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { anyMajor } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'
import { aSmallDisk } from '../helpers/small-disk.js'

/** Megabytes that are left when rows begin to come. */
const levels = [1, 2, 3, 4, 5, 6, 8, 10, 13, 17]

/**
 * For each level: rows come until one statement fails, room is made, and all are counted. Prints what was taken and what is there. The
 * table has no WAL, which lies elsewhere, and would be the first to find no room.
 */
const script = (disk: string) => `
  filler=${disk}/filler
  psql -XAtqc 'create unlogged table taken (n int, filler text)'
  for level in ${levels.join(' ')}; do
    room=$(df -Pk ${disk} | awk 'NR == 2 { print $4 }')
    head -c $(((room - level * 1024) * 1024)) /dev/zero >$filler
    taken=0
    while said=$(psql -XAtqc "insert into taken select n, repeat('x', 100) from generate_series(1, 3000) n" 2>&1); do
      taken=$((taken + 3000))
    done
    echo "$said" | grep -q 'No space left on device' || echo "$said"
    rm $filler
    echo $level: $taken $(psql -XAtqc 'select count(*) from taken') $(psql -XAtqc 'checkpoint; select coalesce(sum(length(filler)) / 100, 0) from taken')
    psql -XAtqc 'truncate taken'
  done`

needs('root', 'mounts', 'user namespaces', '/dev/fuse').it(
  'a disk that is full is an error that the server sees, and no row that it has taken is lost',
  async () => {
    const disk = aSmallDisk(200)
    const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
    const backup = await aBackupOf(server, { root: disk })
    const settings = ['-c', 'shared_buffers=1MB', '-c', 'autovacuum=off', '-c', 'max_wal_size=8MB']
    const args = ['--working-copy', 'thin', '--dbname', 'postgres', ...settings]
    const { status, stdout, stderr } = await localRun(backup.root, [...args, '--', 'sh', '-c', script(disk)])
    const lines = stdout
      .split('\n')
      .map((line) => /^(\d+): (\d+) (\d+) (\d+)$/.exec(line)?.slice(1).map(Number) ?? line)
    expect({ status, lines: lines.length }).toEqual({ status: 0, lines: levels.length })
    for (const line of lines) expect([line, stderr]).toEqual([[line[0], line[1], line[1], line[1]], stderr])
    expect(Number(lines.at(-1)?.[1])).toBeGreaterThan(3000)
  },
)
