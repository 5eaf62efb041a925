import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from '@jest/globals'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { answerAt, ledgerQuery } from '../helpers/ledger.js'
import { localRun } from '../helpers/local-run.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { filesOf, reachOf, stopOf } from './reach-of.js'
import { RealHistory } from './real-history.js'

/** `npm run test:long` tries many more. */
const rounds = roundsOf(1)
const steps = 9

type Draw = (limit: number) => number

/** Draws numbers one after the other, the same ones for the same seed and round. */
function dice(round: number): Draw {
  const numbers = randomNumbers(500, 2 ** 30, `real wal ${round}`)
  return (limit) => (numbers.pop() ?? 0) % limit
}

const policies = [
  { daily: 1 },
  { on_demand: 2 },
  { on_demand: 1, min: 2 },
  { on_demand: 1, wal: '7 days' },
  { daily: 1, wal: '1 hour' },
  { window: '1 hour', on_demand: 1 },
]

/** Those that stay keep all that they reach: with the spans of the policies, all WAL here is in them. */
async function remove(args: string[], draw: Draw, history: RealHistory): Promise<void> {
  const before = lastRows(history)
  if (draw(3) === 0) {
    const child = startPgbk(args)
    await sleep(200 + draw(500))
    child.kill('SIGKILL')
    await child
    expect(lost(before, history)).toEqual([])
  }
  if (args[0] === 'delete' && !history.archives().has(args[1] ?? '')) return
  const { status, stderr } = await runPgbk(args)
  expect({ status, stderr }).toMatchObject({ status: 0 })
  expect(lost(before, history)).toEqual([])
}

const lastRows = (history: RealHistory) =>
  new Map(existing(history).map((backup) => [backup.record.id, reachOf(backup, history).rows[0]?.n ?? 1]))

const lost = (before: Map<string, number>, history: RealHistory) =>
  [...lastRows(history)].filter(([id, n]) => n < (before.get(id) ?? 0))

const existing = (history: RealHistory) => {
  const archives = history.archives()
  return history.made.filter(({ record }) => archives.has(record.id))
}

async function step(draw: Draw, history: RealHistory): Promise<string> {
  const what = draw(14)
  const ids = [...history.archives().keys()]
  if (what < 4) await history.write(1 + draw(6))
  else if (what < 7) await history.create()
  else if (what === 7) await history.promote()
  else if (what < 10) return history.harm(draw(4), draw)
  else if (ids.length > 1) {
    const id = ids[draw(ids.length)] ?? ''
    const config = join(aDirectory('pgbk-config-'), 'config.json')
    const retention = policies[draw(policies.length)]
    writeFileSync(config, JSON.stringify({ root: history.root, retention }))
    const args = what < 12 ? ['delete', id] : ['prune', '--config', config]
    await remove([...args, '--yes', '-C', history.root], draw, history)
    return `${args[0]} ${what < 12 ? id : JSON.stringify(retention)}`
  }
  return ['write', 'write', 'write', 'write', 'create', 'create', 'create', 'promote'][what] ?? 'nothing'
}

/** What list says of the end of each window. */
async function checkList(history: RealHistory, told: string[]): Promise<void> {
  const { stdout } = await runPgbk(['list', '--json', '-C', history.root])
  const windows: { id: string; window: { from: string; to: string; to_lsn: string } }[] =
    JSON.parse(stdout).backups
  const files = filesOf(history)
  expect(windows.map(({ id }) => id).sort()).toEqual([...history.archives().keys()].sort())
  for (const backup of existing(history)) {
    const { from = '', to = '' } = windows.find(({ id }) => id === backup.record.id)?.window ?? {}
    const { rows, isDamaged } = reachOf(backup, history)
    const times = rows.map((row) => (row && row.after > stopOf(backup) ? row.time : from))
    const id = backup.record.id
    if (isDamaged)
      expect({ id, files, told, to: to >= (times[0] ?? '') }).toEqual({ id, files, told, to: true })
    else
      expect({ id, files, told, times, to: times.includes(to) ? true : to }).toEqual({
        id,
        files,
        told,
        times,
        to: true,
      })
  }
}

/** That a copy of each has just the rows that it can have. */
async function checkRows(history: RealHistory, told: string[], backups = existing(history)): Promise<void> {
  const files = filesOf(history)
  for (const backup of backups) {
    const { id } = backup.record
    const args = [id, '--to-latest', '--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery]
    const { stdout, stderr } = await localRun(history.root, args)
    const answers = reachOf(backup, history).rows.map((row) => answerAt(row?.n ?? 1))
    const found = answers.includes(stdout) ? true : `${stdout} ${stderr}`
    expect({ id, files, told, answers, found }).toEqual({ id, files, told, answers, found: true })
  }
}

it.each(Array.from({ length: rounds }, (_, round) => round))(
  `in a random history of a real server, every backup gives all rows whose WAL is there, and list says so (round %i, PGBK_TEST_SEED=${seed})`,
  async (round) => {
    const draw = dice(round)
    const history = await RealHistory.begin()
    await history.write(2 + draw(4))
    await history.create()
    await history.write(2 + draw(4))
    const told: string[] = []
    for (let count = 1; count <= steps; count++) {
      told.push(await step(draw, history))
      if (count % 3 === 0) await checkList(history, told)
    }
    await checkRows(history, told)
  },
  300_000,
)
