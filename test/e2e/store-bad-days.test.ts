import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from '@jest/globals'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { s3Store } from '../../src/place/store/s3/s3-store.js'
import { aContext } from '../catalog/samples.js'
import { aBackupOf, aFile, aTwinOf } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { cache } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { impatientProgram, runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { wordsOf } from '../helpers/process-list.js'
import { anyMajor } from '../helpers/programs.js'
import { anS3Server } from '../helpers/s3.js'
import { faultsBefore, type S3Fault } from '../helpers/s3-faults.js'
import { aServer } from '../helpers/server.js'
import { pidsIn } from '../helpers/servers-in.js'
import { until } from '../helpers/traces.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const
const rounds = roundsOf(4)
const older = ['20250101T030000Z', '20250102T030000Z']

/** What may go wrong with a request; which of it does, and how often, is drawn for each command. */
const faults: S3Fault[] = [
  'reset',
  'unheard',
  'twice',
  '500',
  'slow-down',
  'expired',
  'stall',
  'cut-body',
  'stalled-body',
  'no-range',
  'other-range',
]

needs('an S3 server', ...needed).it(
  'commands that are killed at any moment, on a store that has a bad day, lose nothing and list nothing by half',
  async () => {
    const world = await aWorld()
    const { model, operations, pgbk } = world
    const draws = randomNumbers(rounds * 8, 2 ** 30, 'bad days of a store')
    const lengths = new Map<Operation, number>()
    for (let round = 0; round < rounds; round++) {
      const [which = 0, draw = 0, moment = 0, rate = 0, dice = 0, isFinished = 0, ...kinds] = draws.slice(
        8 * round,
        8 * (round + 1),
      )
      const chosen = operations[which % operations.length] ?? operations[0]
      const operation = (model.surely.size > 0 && chosen) || operations[0]
      const words = operation.words(draw)
      const bad = badDay(rate, dice, kinds)
      const what = { seed, round, words: words.join(' '), faults: bad.kinds, moment: moment / 2 ** 30 }
      if (process.env.PGBK_TEST_ROUNDS) process.stderr.write(`${JSON.stringify(what)}\n`)
      const most = moment % 4 > 0 ? what.moment * 1.2 * (lengths.get(operation) ?? 5000) : 60_000
      const isDone = await world.roughly(words, most, bad.next)
      if (isDone) await operation.done(words)
      else operation.broken(words)
      expect({ ...what, ...(await world.wrong()) }).toEqual({ ...what, ...nothing })
      if (isDone || isFinished % 3 === 0 || model.surely.size === 0) continue
      const next = operation.words(draw)
      const begun = Date.now()
      await pgbk(next)
      lengths.set(operation, Date.now() - begun)
      await operation.done(next)
      expect({ ...what, next, ...(await world.wrong()) }).toEqual({ ...what, next, ...nothing })
    }
    await pgbk(operations[0].words(0))
    await operations[0].done([])
    expect(await world.wrong()).toEqual(nothing)
    await pgbk(['verify', '--from', 'far', '--all', '--read'])
    await until('nobody is left', () => pidsIn(cache).every((pid) => !isOfRun(pid)))
  },
  60_000 * Math.max(5, rounds),
)

/** What is done to a store, and what that makes of what it has. */
interface Operation {
  words(draw: number): string[]
  /** It was killed, or has failed. */
  broken(words: string[]): void
  done(words: string[]): Promise<void> | void
}

/** What a store surely has, and what it may have: whose upload or removal did not end. */
function aModel(ids: string[]) {
  const surely = new Set<string>()
  const perhaps = new Set<string>()
  return {
    surely,
    perhaps,
    mayHaveCome() {
      for (const id of ids) if (!surely.has(id)) perhaps.add(id)
    },
    hasCome() {
      for (const id of ids) surely.add(id)
      perhaps.clear()
    },
    mayHaveGone(some: string[]) {
      for (const id of some) if (surely.delete(id)) perhaps.add(id)
    },
    hasGone(some: string[]) {
      for (const id of some) for (const set of [surely, perhaps]) set.delete(id)
    },
  }
}

const nothing = { lost: [], odd: [], damaged: [], missingHere: [] }

/** What goes wrong on one day with which requests: nothing at all on each fourth. */
function badDay(rate: number, dice: number, drawn: number[]) {
  const [, ...rates] = [0, 40, 15, 6]
  const every = rate % 4 === 0 ? 0 : (rates[(rate % 4) - 1] ?? 0)
  const kinds = every === 0 ? [] : drawn.map((one) => faults[one % faults.length])
  const throws = randomNumbers(997, Math.max(1, every), `dice ${dice}`)
  let asked = 0
  const next = () => {
    const isBad = throws[asked++ % throws.length] === 0
    return isBad && every > 0 ? kinds[asked % kinds.length] : undefined
  }
  return { kinds, next }
}

/** A root, a store that may have bad days, and what can be done to it. */
async function aWorld() {
  const { root, ids, key, answer } = await somethingToSend()
  const s3 = await anS3Server()
  const bucket = await s3.aBucket()
  let fault: () => S3Fault | undefined = () => undefined
  const proxy = await faultsBefore(s3.endpoint, () => fault())
  const env = { ...s3.env, HOME: cache, XDG_CACHE_HOME: cache, PGBK_IDENTITY_FILE: key.file }
  const objects = await s3Store({ bucket, prefix: '' }, {}, aContext({ env: s3.env }))
  atEnd(() => objects.close())
  const store = { url: `s3://${bucket}`, path_style: true, part_size: '5MB', recipients: [key.recipient] }
  const stores = { far: store, short: { ...store, retention: { on_demand: 1 } } }
  await aFile(join(root, '.pgbkrc.json'), JSON.stringify({ root, stores }))
  const pgbk = async (words: string[]) => {
    const ended = await runPgbk(words, { cwd: root, env })
    if (ended.status !== 0) throw new Error(`${words.join(' ')} ended with ${ended.status}: ${ended.stderr}`)
    return ended.stdout
  }
  const listed = async (...from: string[]): Promise<string[]> =>
    JSON.parse(await pgbk(['list', ...from, '--json'])).backups.map(({ id }: { id: string }) => id)
  const model = aModel(ids)
  const oneOf = (draw: number) => [...model.surely][draw % model.surely.size] ?? ''
  const upload: Operation = {
    words: () => ['upload', '--all', '--to', 'far'],
    broken: () => model.mayHaveCome(),
    done: () => model.hasCome(),
  }
  const remove: Operation = {
    words: (draw) => ['delete', oneOf(draw), '--from', 'far', '--last', '--yes'],
    broken: ([, id = '']) => model.mayHaveGone([id]),
    done: ([, id = '']) => model.hasGone([id]),
  }
  const prune: Operation = {
    words: () => ['prune', '--from', 'short', '--yes'],
    broken: () => model.mayHaveGone([...model.surely].sort().slice(0, -1)),
    async done() {
      const kept = await listed('--from', 'far')
      expect([kept.length, [...model.surely].every((id) => id <= (kept[0] ?? ''))]).toEqual([1, true])
      model.hasGone(ids)
      model.surely.add(kept[0] ?? '')
    },
  }
  const download: Operation = {
    words: (draw) => ['download', oneOf(draw), '--from', 'far', '--to', aDirectory()],
    broken: () => {},
    async done([, id, , , , to = '']) {
      expect(await listed('-C', to)).toEqual([id])
      await pgbk(['verify', '-C', to])
    },
  }
  const count = ['--', 'sh', '-c', `test "$(psql -XAtc 'select count(*) from bulk')" = ${answer}`]
  const look: Operation = {
    words: (draw) => ['local-run', oneOf(draw), '--from', 'far', ...count],
    broken: () => {},
    done: () => {},
  }
  const operations: [Operation, ...Operation[]] = [upload, upload, remove, prune, download, look]
  return {
    pgbk,
    model,
    operations,
    /** On a bad day, killed after so many milliseconds. @returns whether it has done what it was to do. */
    async roughly(words: string[], mostMs: number, next: typeof fault) {
      fault = next
      const child = startPgbk(
        words,
        { cwd: root, env: { ...env, AWS_ENDPOINT_URL: proxy } },
        impatientProgram,
      )
      await Promise.race([child, sleep(mostMs)])
      child.kill('SIGKILL')
      return (await child).exitCode === 0
    },
    async wrong() {
      const there = await listed('--from', 'far')
      const damaged: string[] = []
      for (const id of there) damaged.push(...(await faultsIn(objects, id, root)))
      const here = await listed()
      return {
        lost: [...model.surely].filter((id) => !there.includes(id)),
        odd: there.filter((id) => !model.surely.has(id) && !model.perhaps.has(id)),
        damaged,
        missingHere: ids.filter((id) => !here.includes(id)),
      }
    },
  }
}

/** A root with packed backups of more than one part, a key, and what a run of one of them answers. */
async function somethingToSend() {
  const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
  await server.sql(
    `create table bulk as select n, (select string_agg(md5(random()::text), '') from generate_series(1, 20) where n = n) from generate_series(1, 12000) as n`,
  )
  const made = await aBackupOf(server, { args: ['--packed'] })
  const { root } = made
  const record = JSON.parse(readFileSync(join(made.directory, 'backup.json'), 'utf8'))
  for (const id of older) await aTwinOf({ ...made, record }, id)
  const file = join(aDirectory(), 'key.txt')
  const { stdout } = await runPgbk(['key', 'new', file, '-q'])
  const answer = await server.sql('select count(*) from bulk')
  await server.stop()
  return { root, ids: [...older, made.record.id], key: { file, recipient: stdout.trim() }, answer }
}

/** What a record in a store tells of that does not lie there as it says, and the WAL of the root that is not there. */
async function faultsIn(store: ObjectStore, id: string, root: string): Promise<string[]> {
  const top = `data/backup/${id}/`
  const bytesOf = (key: string) =>
    store.read(key, { from: 0 }, async (pieces) => {
      const all: Buffer[] = []
      for await (const piece of pieces) all.push(piece)
      return Buffer.concat(all)
    })
  const { encrypted } = JSON.parse(String(await bytesOf(`${top}backup.json`)))
  const found = new Set<string>()
  for await (const { key } of store.list(top)) found.add(key.slice(top.length))
  const damaged: string[] = []
  for (const [name, { sha256 }] of Object.entries<{ sha256: string }>(encrypted.files)) {
    const isThere = found.has(name)
    if (
      !isThere ||
      createHash('sha256')
        .update(await bytesOf(top + name))
        .digest('hex') !== sha256
    )
      damaged.push(`${id}/${name}`)
  }
  const segments = readdirSync(join(root, top, 'wal')).filter((name) => /^[0-9A-F]{24}/.test(name))
  for (const name of segments)
    if (![...found].some((one) => one.startsWith(`wal/${name.slice(0, 24)}`)))
      damaged.push(`${id}/wal/${name}`)
  return damaged
}

function isOfRun(pid: string): boolean {
  return /postgres|--served|squashfuse/.test(wordsOf(pid).join('\0'))
}
