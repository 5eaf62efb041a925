import { rmSync, statfsSync } from 'node:fs'
import { expect } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf } from '../helpers/backup.js'
import { ifMounts } from '../helpers/needs.js'
import { anyMajor } from '../helpers/programs.js'
import {
  archivesOf,
  faultsOf,
  makeLedger,
  replayed,
  startReceiver,
  stateIn,
  untilReceived,
} from '../helpers/receiver.js'
import { aServer } from '../helpers/server.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { until } from '../helpers/traces.js'

ifMounts(
  'a disk that fills up stops the receiver until there is room again, and nothing is lost',
  async () => {
    const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
    await makeLedger(server)
    const root = aSmallDisk(120)
    await aBackupOf(server, { root })
    const receiver = startReceiver(root, { env: { ...server.env, PGBK_WAL_COMPRESS: 'none' } })
    await receiver.untilItSays(/receiving WAL/)
    await execa('dd', ['if=/dev/zero', `of=${root}/filler`, 'bs=64k'], { reject: false })
    for (let count = 0; count < 3; count++)
      await server.sql(
        "insert into ledger select (select coalesce(max(n), 0) from ledger) + g, clock_timestamp(), repeat('x', 300) from generate_series(1, 3000) g; checkpoint",
      )
    await receiver.untilItSays(/the disk under .* is full: receiving is paused until 4.0 MB are free/)
    const { bavail, bsize } = statfsSync(root)
    expect(bavail * bsize).toBeLessThan(4 * 2 ** 20)
    await execa('dd', ['if=/dev/zero', `of=${root}/last`, 'bs=4k'], { reject: false })
    const before = stateIn(root).updated_at
    await until('its state goes on', () => stateIn(root).updated_at !== before)
    expect(stateIn(root)).toMatchObject({ status: 'disk-full', problem: expect.stringContaining('is full') })
    rmSync(`${root}/last`)
    rmSync(`${root}/filler`)
    await receiver.untilItSays(/there is room again/)
    await receiver.untilItSays(/receiving WAL/, 2)
    const end = await untilReceived(server, root)
    await receiver.end()
    const [archive] = archivesOf(root)
    if (!archive) throw new Error('no archive')
    expect(await faultsOf(archive, end)).toEqual([])
    expect(await replayed(archive, root)).toEqual({ rows: 9000, last: 9000 })
  },
)
