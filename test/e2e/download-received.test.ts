import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { download } from '../helpers/download.js'
import { localRun } from '../helpers/local-run.js'
import { anyMajor, run } from '../helpers/programs.js'
import { makeLedger, startLoad, startReceiver, untilReceived } from '../helpers/receiver.js'
import { aRoot, aServer } from '../helpers/server.js'

// One form: what is replaced is a directory, whatever is in it.

it('a backup is replaced while a receiver writes into its archive, and no row is lost', async () => {
  const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
  await makeLedger(server)
  const { root, record, snapshot } = await aBackupOf(server)
  const from = await aRoot()
  await run(['cp', '-a', join(root, 'data'), from])
  const receiver = startReceiver(root, { env: server.env })
  await receiver.untilItSays(/into the archive of backup/)
  const load = startLoad(server)
  let isOver = false
  const switches = (async () => {
    for (; !isOver; await sleep(30)) await server.sql('select pg_switch_wal()')
  })()
  for (let count = 1; count <= 3; count++) {
    rmSync(join(snapshot, 'data/global/pg_control'))
    const { status, stderr } = await download(from, root, ['--replace'])
    expect(status === 0 ? '' : stderr).toBe('')
    await receiver.untilItSays(/into the archive of backup/, 1 + count)
  }
  isOver = true
  await Promise.all([switches, load.stop()])
  const rows = await server.sql('select count(*), max(n) from ledger')
  await untilReceived(server, root, record.id)
  await receiver.end()
  const args = [
    '--to-latest',
    '--dbname',
    'postgres',
    '--',
    'psql',
    '-XAtc',
    'select count(*), max(n) from ledger',
  ]
  expect(await localRun(root, args)).toMatchObject({ status: 0, stdout: rows })
}, 300_000)
