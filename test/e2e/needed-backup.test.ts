import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, binOf, run } from '../helpers/programs.js'
import { archiveWal, ask, refusal, restore, writeSegments } from '../helpers/restore.js'
import { aServer, type TestServer } from '../helpers/server.js'
import { isRoot } from '../helpers/users.js'

const callers: [string, boolean][] = [['an ordinary user', false]]
if (isRoot) callers.push(['root', true])

describe.each(callers)('a backup from which a directory was restored by %s', (_who, asRoot) => {
  let server: TestServer
  let backup: MadeBackup
  const data = join(aDirectory(), 'main')
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    await server.stop()
    // What its configuration files do not have, as in a container.
    await run([`${server.bin}/pg_ctl`, '-D', server.data, '-o', '-c max_connections=300', '-w', 'start'], {
      stdout: 'ignore',
    })
    backup = await aBackupOf(server)
    await aBackupOf(server, { root: backup.root })
    await writeSegments(server, 2)
    await archiveWal(server, backup)
    await server.stop()
    const { status, stderr } = await restore(backup.root, [backup.record.id, '-D', data], {
      asRoot,
      alone: true,
    })
    expect({ stderr, status }).toMatchObject({ status: 0 })
  })
  const remove = () => runPgbk(['delete', backup.record.id, '--yes', '-C', backup.root, '--json'])

  it('stays until its WAL is replayed', async () => {
    const { status, message, hint } = await refusal(remove())
    expect(status).toBe(1)
    expect(message).toContain(`the restored data directory ${data}, which has not replayed its WAL yet`)
    expect(hint).toContain(join(backup.root, 'data/restores/'))
    const policy = ['prune', '--default-policy', '--dry-run', '--json', '-C', backup.root]
    const { kept } = JSON.parse((await runPgbk(policy)).stdout)
    expect(JSON.stringify(kept)).toContain(`by the restored data directory ${data}`)
  })

  it('is replayed, though the server ran with more connections than its configuration says', async () => {
    const port = await aFreePort()
    const start = ['-o', `-p ${port}`, '-l', join(data, 'log'), '-w', 'start']
    await run([`${binOf(anyMajor)}/pg_ctl`, '-D', data, ...start], { stdout: 'ignore' })
    const target = { port, role: 'focker', socket: server.socket }
    expect(await ask(target, 'select max(n) from late', 'postgres', anyMajor)).toBe('3')
    expect(existsSync(join(data, 'recovery.signal'))).toBe(false)
  })

  it('may go then, and the next restore sweeps its note', async () => {
    expect((await remove()).status).toBe(0)
    expect(readdirSync(join(backup.root, 'data/restores'))).toHaveLength(1)
    expect((await restore(backup.root, ['--no-start', '--name', 'other'])).status).toBe(0)
    expect(readdirSync(join(backup.root, 'data/restores'))).toEqual([])
  })
})
