import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { beforeAll, expect, it } from '@jest/globals'
import { rootLayout } from '../../src/catalog/layout.js'
import { readWalSent } from '../../src/catalog/uploads/wal-sent.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { s3Store } from '../../src/place/store/s3/s3-store.js'
import { aContext } from '../catalog/samples.js'
import { aBackupOf, aFile } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { atEnd } from '../helpers/places.js'
import { attempt, oldestAndNewest } from '../helpers/programs.js'
import { makeLedger, startLoad, startReceiver, untilReceived } from '../helpers/receiver.js'
import { anS3Server, type S3Server } from '../helpers/s3.js'
import { faultsBefore, type S3Fault } from '../helpers/s3-faults.js'
import { aRoot, aServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const
const rounds = Math.max(1, Math.ceil(roundsOf(4) / oldestAndNewest.length))
const faults: S3Fault[] = ['reset', 'unheard', 'twice', '500', 'slow-down']
const segmentBytes = 1 << 20

needs('an S3 server', ...needed).describe('wal receive that is killed while it sends WAL to a store', () => {
  let s3: S3Server
  let rough: string
  beforeAll(async () => {
    s3 = await anS3Server()
    const throws = randomNumbers(997, 15, 'bad days of WAL')
    let asked = 0
    rough = await faultsBefore(s3.endpoint, () =>
      throws[asked++ % throws.length] === 0 ? faults[asked % faults.length] : undefined,
    )
  })

  it.each(oldestAndNewest)(
    'leaves no segment by half there and says nothing that is not so; the next one brings the rest (PostgreSQL %i)',
    async (major) => {
      const server = await aServer({ major, initdb: ['--wal-segsize=1'] })
      await makeLedger(server)
      const root = await aRoot()
      const bucket = await s3.aBucket()
      const far = { url: `s3://${bucket}`, path_style: true, upload: 'always', partial_every: '1 second' }
      await aFile(join(root, '.pgbkrc.json'), JSON.stringify({ root, stores: { far } }))
      const env = { ...server.env, ...s3.env }
      const { record } = await aBackupOf(server, { root, cwd: root, env })
      const objects = await s3Store({ bucket, prefix: '' }, {}, aContext({ env: s3.env }))
      atEnd(() => objects.close())
      const world = { objects, root, top: `data/backup/${record.id}/wal/` }
      const load = startLoad(server)
      for (const [round, delay] of randomNumbers(rounds, 5000, `kill ${major}`).entries()) {
        const options = { env: { ...env, AWS_ENDPOINT_URL: rough }, cwd: root }
        const receiver = startReceiver(root, options)
        await sleep(1000 + delay)
        if (delay % 2 === 1) await attempt(['pkill', '-KILL', '-f', '--', `-C ${root} --sends`])
        await receiver.end('SIGKILL')
        await until('what sends has ended', async () => (await sendersOf(root)) === '')
        expect({ seed, round, ...(await wrong(world)) }).toEqual({ seed, round, odd: [], missing: [] })
      }
      const last = startReceiver(root, { env, cwd: root })
      await load.stop()
      const rows = await server.sql('select count(*) from ledger')
      await untilReceived(server, root)
      const received = Date.now()
      await until('all has come', () => Date.parse(readWalSent(rootLayout(root)).far?.at ?? '') > received)
      await last.end()
      expect(await wrong(world)).toEqual({ odd: [], missing: [] })
      const count = ['--', 'psql', '-XAtc', 'select count(*) from ledger', 'postgres']
      const { stdout } = await localRun(root, ['--from', 'far', '--to-latest', ...count], { env, cwd: root })
      expect(stdout).toBe(rows)
    },
    20_000 * Math.max(6, rounds),
  )
})

async function sendersOf(root: string): Promise<string> {
  return (await attempt(['pgrep', '-f', '--', `-C ${root} --sends`])).stdout.trim()
}

/** Segments of a store that are not what is here, and those of the time that is noted as sent that are not there. */
async function wrong({ objects, root, top }: { objects: ObjectStore; root: string; top: string }) {
  const there = new Set<string>()
  const odd: string[] = []
  const here = new Map(
    readdirSync(join(root, top))
      .filter((name) => /^[0-9A-F]{24}(\.gz)?$/.test(name))
      .map((name) => [name.slice(0, 24), join(root, top, name)]),
  )
  for await (const { key, bytes } of objects.list(top)) {
    const name = key.slice(top.length)
    if (name.endsWith('.partial') && bytes !== segmentBytes) odd.push(name)
    if (!/^[0-9A-F]{24}\.gz$/.test(name)) continue
    there.add(name.slice(0, 24))
    const sent = gunzipSync(await bytesOf(objects, key))
    const own = here.get(name.slice(0, 24))
    if (!own || !sent.equals(unpacked(own))) odd.push(name)
  }
  const at = Date.parse(readWalSent(rootLayout(root)).far?.at ?? '')
  const missing = [...here].filter(([name, path]) => statSync(path).mtimeMs < at - 1000 && !there.has(name))
  return { odd, missing: missing.map(([name]) => name) }
}

function unpacked(path: string): Buffer {
  const bytes = readFileSync(path)
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes
}

function bytesOf(store: ObjectStore, key: string): Promise<Buffer> {
  return store.read(key, { from: 0 }, async (pieces) => {
    const all: Buffer[] = []
    for await (const piece of pieces) all.push(piece)
    return Buffer.concat(all)
  })
}
