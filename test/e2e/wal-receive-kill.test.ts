import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { anyMajor } from '../helpers/programs.js'
import {
  archivesOf,
  faultsOf,
  makeLedger,
  receiverProcessesIn,
  replayed,
  startLoad,
  startReceiver,
  untilReceived,
} from '../helpers/receiver.js'
import { aRoot, aServer } from '../helpers/server.js'
import { idsIn, until } from '../helpers/traces.js'

const rounds = roundsOf(4)

it(
  'a receiver that is killed at random moments, while backups are made, leaves no gap and loses no row',
  async () => {
    const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
    await makeLedger(server)
    const root = await aRoot()
    const first = startReceiver(root, { env: server.env })
    await first.untilItSays(/waiting for the first one/)
    await first.end('SIGKILL')
    const load = startLoad(server, 0.001)
    await aBackupOf(server, { root })
    let making: Promise<unknown> = Promise.resolve()
    for (const [round, delay] of randomNumbers(rounds, 2000, 'kill').entries()) {
      // Hand-overs are the moments that matter most.
      if (round % 5 === 2) making = making.then(() => aBackupOf(server, { root }))
      const receiver = startReceiver(root, { env: server.env })
      await sleep(delay)
      await receiver.end('SIGKILL')
      expect({ seed, round, said: receiver.said() }).not.toMatchObject({
        said: expect.stringMatching(/no longer has WAL|is broken/),
      })
    }
    await making
    const last = startReceiver(root, { env: server.env })
    await last.untilItSays(new RegExp(`receiving WAL .* into the archive of backup ${idsIn(root).at(-1)}`))
    await load.stop()
    const rows = Number(await server.sql('select count(*) from ledger'))
    const end = await untilReceived(server, root, idsIn(root).at(-1))
    await last.end()

    const archives = archivesOf(root)
    expect(archives).toHaveLength(1 + Math.ceil((rounds - 2) / 5))
    const ends = [...archives.slice(1).map(({ record }) => record.stop_lsn), end]
    for (const [index, archive] of archives.entries())
      expect({ seed, index, faults: await faultsOf(archive, ends[index] ?? '') }).toEqual({
        seed,
        index,
        faults: [],
      })
    const newest = archives.at(-1)
    expect(newest && (await replayed(newest, root))).toEqual({ rows, last: rows })
    const drafts = readdirSync(join(root, 'data/backup', newest?.id ?? '', 'wal')).filter((name) =>
      name.endsWith('.tmp'),
    )
    expect(drafts).toEqual([])
    await until('nobody is left', async () => (await receiverProcessesIn(root)).length === 0)
  },
  20_000 * Math.max(15, rounds),
)
