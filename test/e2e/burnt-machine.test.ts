import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { rootLayout } from '../../src/catalog/layout.js'
import { readWalSent } from '../../src/catalog/uploads/wal-sent.js'
import { aBackupOf, aFile } from '../helpers/backup.js'
import { aLedger } from '../helpers/ledger.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, attempt, majors, oldestAndNewest } from '../helpers/programs.js'
import { makeLedger, startLoad, startReceiver, untilReceivedTo } from '../helpers/receiver.js'
import { ask, restored } from '../helpers/restore.js'
import { anS3Server, type S3Server } from '../helpers/s3.js'
import { aRoot, aServer } from '../helpers/server.js'
import { aSwiftServer } from '../helpers/swift.js'
import { until } from '../helpers/traces.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

const [oldest = anyMajor, newest = oldest] = oldestAndNewest

needs('an S3 server', 'a second S3 server', ...needed).describe('a machine that has burnt', () => {
  it.each([
    [oldest, 'Ceph', anS3Server],
    [newest, 'Swift', aSwiftServer],
  ] as [number, string, () => Promise<S3Server>][])(
    'comes back from its store and a key alone, to the last row that was sent (PostgreSQL %i, S3 of %s)',
    async (major, _whose, start) => {
      const s3 = await start()
      const { server, root, entries } = await aLedger({ major, rows: 20 })
      const safe = await aRoot()
      const key = join(safe, 'key.txt')
      const { stdout: recipient } = await runPgbk(['key', 'new', key, '-q'])
      const url = `s3://${await s3.aBucket()}/production`
      const config = join(root, '.pgbkrc.yaml')
      const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, ...env } = s3.env
      const where = `endpoint: "${endpoint}", region: ${region}`
      writeFileSync(config, `stores: {offsite: {url: ${url}, ${where}, recipients: [${recipient.trim()}]}}\n`)
      const sent = await runPgbk(['upload', '--to', 'offsite', '-C', root, '--config', config], { env })
      expect({ status: sent.status, stderr: sent.stderr }).toMatchObject({ status: 0 })
      await server.stop()
      rmSync(root, { recursive: true })

      const here = aDirectory()
      const port = await aFreePort()
      const from = ['--from', url, '--identity', key]
      const data = join(here, 'main')
      await restored(here, [...from, '-D', data, '--start', '--port', String(port)], { env: s3.env })
      const target = { port, role: 'focker', socket: server.socket }
      const rows = String(1 + entries.length)
      expect(await ask(target, 'select count(*) from ledger', 'app', major)).toBe(rows)

      const words = ['--to-latest', '--', 'psql', '-XAtc', 'select count(*) from ledger']
      const { stdout } = await localRun(here, [...from, '--dbname', 'app', ...words], { env: s3.env })
      expect(stdout).toBe(rows)
    },
  )

  it.each(majors.filter((major) => major >= 15 || majors.length === 1))(
    'that was receiving comes back to the last second that was sent (PostgreSQL %i)',
    async (major) => {
      const s3 = await anS3Server()
      const server = await aServer({ major, initdb: ['--wal-segsize=1'] })
      await makeLedger(server)
      const [root, safe] = [await aRoot(), await aRoot()]
      const key = join(safe, 'key.txt')
      const { stdout: recipient } = await runPgbk(['key', 'new', key, '-q'])
      const url = `s3://${await s3.aBucket()}/production`
      const far = { url, recipients: [recipient.trim()], upload: 'always', partial_every: '1 second' }
      await aFile(join(root, '.pgbkrc.json'), JSON.stringify({ root, stores: { far } }))
      const env = { ...server.env, ...s3.env }
      await aBackupOf(server, { root, cwd: root, env, args: ['--packed'] })
      const receiver = startReceiver(root, { env, cwd: root })
      startLoad(server)
      const sentAt = () => Date.parse(readWalSent(rootLayout(root)).far?.at ?? '')
      const count = 'select count(*) from ledger'
      await until('there are many rows', async () => Number(await server.sql(count)) > 100)
      const [rows, lsn = ''] = (await server.sql(`${count}; select pg_current_wal_flush_lsn()`)).split('\n')
      await untilReceivedTo(lsn, root)
      const from = Date.now()
      await until('that has been sent', () => sentAt() > from)
      await attempt(['pkill', '-KILL', '-f', '--', `-C ${root} --sends`])
      await receiver.end('SIGKILL')
      await server.stop('immediate')
      rmSync(root, { recursive: true })

      const here = aDirectory()
      const words = ['--from', url, '--identity', key, '-D', join(here, 'main'), '--start', '--port']
      const port = await aFreePort()
      await restored(here, [...words, String(port)], { env: s3.env })
      const target = { port, role: server.superuser, socket: server.socket }
      const found = await ask(target, 'select count(*), max(n) from ledger', 'postgres', major)
      const [there = 0, last = 0] = found.split('|').map(Number)
      expect(last).toBe(there)
      expect(there).toBeGreaterThanOrEqual(Number(rows))
    },
    120_000,
  )
})
