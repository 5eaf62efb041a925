import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { aLedger } from '../helpers/ledger.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, oldestAndNewest } from '../helpers/programs.js'
import { ask, restored } from '../helpers/restore.js'
import { anS3Server, type S3Server } from '../helpers/s3.js'
import { aRoot } from '../helpers/server.js'
import { aSwiftServer } from '../helpers/swift.js'

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
})
