import { expect, it } from '@jest/globals'
import { type LocalBackup, recordOf } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import { type ArchivedWal, lastOf } from '../../src/wal-archive/archived-wal.js'
import { walPool } from '../../src/wal-archive/wal-pool.js'
import { soundWal } from '../../src/wal-coverage/sound-wal.js'
import { scanWal } from '../../src/wal-reading/scan-wal.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { joining, WalHistory } from './wal-histories.js'

/** `npm run test:long` tries many more. */
const rounds = roundsOf(1)

/** Draws numbers one after the other, the same ones for the same seed and round. */
function dice(round: number): (limit: number) => number {
  const numbers = randomNumbers(500, 2 ** 30, `wal ${round}`)
  return (limit) => (numbers.pop() ?? 0) % limit
}

/** Reads all of it. */
async function look(backup: LocalBackup, wal: ArchivedWal) {
  const search = { ...joining, wal, major: 15, installations: await joining.installations() }
  const systemIdentifier = recordOf(backup).server.system_identifier
  const { damage } = await scanWal({ ...search, systemIdentifier })
  return { wal, damage }
}

/** How far each backup reaches by what pgbk finds, by its id. */
async function found(history: WalHistory): Promise<Map<string, number | undefined>> {
  const catalog = readCatalog(history.root.root)
  const pool = walPool(catalog)
  const reach = async (backup: LocalBackup) => {
    const { wal, damage } = await soundWal(backup, pool, joining, async (wal) =>
      history.isHarmed ? look(backup, wal) : { wal, damage: undefined },
    )
    const last = damage ? wal.chain[damage.index - 1] : lastOf(wal)
    return last && Number(last.segment)
  }
  const all = catalog.backups.map(async (backup) => [backup.id, await reach(backup)] as const)
  return new Map(await Promise.all(all))
}

const known = (history: WalHistory) =>
  new Map(history.backups().map((backup) => [backup.id, history.reachOf(backup)]))

/** One step; what a removal has taken from a backup that stays. */
async function step(what: number, draw: (limit: number) => number, history: WalHistory): Promise<unknown[]> {
  if (what < 4) history.write(1 + draw(3))
  else if (what < 7) history.create()
  else if (what === 7) history.promote()
  else if (what === 8) history.write(1 + draw(2), false)
  else if (what === 9) history.lose(draw(4), draw(20))
  else if (what === 12) history.share(draw(4), draw(6))
  else if (what === 13) history.harm(draw(4), draw(20))
  else if (history.backups().length > 1) {
    const before = known(history)
    const index = draw(history.backups().length)
    if (what === 14) await history.replace(index, draw(4))
    else await history.remove(index, draw(2) === 0 ? draw(4) : undefined)
    return [...known(history)].filter(([id, reach]) => reach !== before.get(id))
  }
  return []
}

it.each(Array.from({ length: rounds }, (_, round) => round))(
  `in a random history, every backup reaches all WAL that is there, and loses none when others go (round %i, PGBK_TEST_SEED=${seed})`,
  async (round) => {
    const draw = dice(round)
    const history = new WalHistory()
    history.create()
    const told: number[] = []
    for (let count = 0; count < 25; count++) {
      told.push(draw(15))
      const lost = await step(told.at(-1) ?? 0, draw, history)
      expect({ told, lost, found: await found(history) }).toEqual({ told, lost: [], found: known(history) })
    }
  },
)

it('a timeline whose history only the newest backup has is still known when that goes before any of its WAL has come', async () => {
  const history = new WalHistory()
  history.create()
  history.create()
  history.promote()
  await history.remove(0, undefined)
  history.write(2)
  expect([...known(history).values()]).toEqual([6])
  expect(await found(history)).toEqual(known(history))
})
