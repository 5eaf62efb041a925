import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, it } from '@jest/globals'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { majors, run } from '../helpers/programs.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))

/**
 * Each has one backup with two further tablespaces, held and proven, and an archive that a receiver grew: `ledger` has 4 rows at its
 * end and 3 at the restore point `here`, t_one has 20,000.
 */
const released = majors.filter((major) => [15, 17].includes(major))

needs('program zstd').describe.each(released)('a root that version 0.1.0 made, of PostgreSQL %d', (major) => {
  let root: string
  beforeAll(async () => {
    root = aDirectory()
    await run(['tar', '--zstd', '-xf', join(fixtures, `root-0.1.0-pg${major}.tar.zst`), '-C', root])
    if (isRoot) await run(['chown', '-R', `${ordinaryUser.uid}:${ordinaryUser.gid}`, root])
  })

  const json = async (...args: string[]) => {
    const { status, stdout, stderr } = await runPgbk([...args, '-C', root, '--json'])
    expect([args[0], status, stderr]).toEqual([args[0], 0, expect.any(String)])
    return JSON.parse(stdout)
  }
  const rows = ['--', 'psql', '-XAtc', 'select (select count(*) from ledger), (select count(*) from t_one)']

  it('is listed, shown and verified, and its proof and its hold count', async () => {
    const { backups } = await json('list')
    expect(backups).toMatchObject([{ state: 'whole', hold: {}, window: { ends_with: 'commit', gap: null } }])
    expect(await json('show', 'latest')).toMatchObject({ backup: { id: backups[0].id } })
    expect(await json('verify')).toMatchObject({ checks: [{ ok: true, faults: [] }] })
    expect((await runPgbk(['status', '-C', root])).stdout).toContain('proven')
  })

  it('is opened as it was made, at a restore point, and at its end', async () => {
    expect((await localRun(root, rows)).stdout).toMatch(/^\d\|20000$/m)
    expect((await localRun(root, ['--to-name', 'here', ...rows])).stdout).toContain('3|20000')
    expect((await localRun(root, ['--to-latest', ...rows])).stdout).toContain('4|20000')
  })

  it('is proven anew', async () => {
    expect(await json('verify', '--prove')).toMatchObject({ checks: [{ ok: true, proof: { ok: true } }] })
  })

  it('is restored to an instance, which starts', async () => {
    const restored = await json('restore', '--name', 'again')
    atEnd(async () => void (await json('instance', 'stop', 'again')))
    const { port, socket_directory } = restored.instance
    const at = ['-h', socket_directory, '-p', String(port), '-U', 'focker', '-d', 'postgres']
    const answer = await run(['psql', '-XAt', ...at, '-c', 'select count(*) from ledger'])
    expect(answer.stdout.trim()).toBe('4')
    expect(readdirSync(join(root, 'data/instances'))).toEqual(['again'])
  })
})
