import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from '@jest/globals'
import { aBackupOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'
import { anSshTo } from '../helpers/ssh.js'
import { idsIn } from '../helpers/traces.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const
const [old, newer, newest] = ['20250101T030000Z', '20250101T120000Z', '20250102T030000Z']

needs(...needed).describe('the retention of a store', () => {
  let backup: MadeBackup
  let full: string
  let store: string
  beforeAll(async () => {
    backup = await aBackupOf(await aServer({ major: anyMajor }))
    await runPgbk(['pack', '-C', backup.root, backup.record.id])
    for (const id of [old, newer, newest]) await aTwinOf({ ...backup, record: await recordIn(backup) }, id)
    await runPgbk(['delete', '-C', backup.root, backup.record.id, '--yes'])
    full = aDirectory()
    const { status, stderr } = await runPgbk(['upload', '-C', backup.root, '--to', full, '--all'])
    if (status !== 0) throw new Error(stderr)
  })
  beforeEach(async () => {
    store = aDirectory()
    await run(['cp', '-a', join(full, 'data'), store])
    await configure({ daily: 1 })
  })
  const configure = (retention: object) =>
    aFile(
      join(backup.root, '.pgbkrc.json'),
      JSON.stringify({ root: backup.root, stores: { far: { url: store, retention } } }),
    )
  const pgbk = (...args: string[]) => runPgbk(args, { cwd: backup.root })
  const json = async (...args: string[]) => {
    const { status, stdout } = await pgbk(...args, '--json')
    return { status, ...JSON.parse(stdout) }
  }
  const there = () => idsIn(store)
  /** Twins were all finished today. */
  const finishedThen = async (id: string) => {
    const file = join(store, 'data/backup', id, 'backup.json')
    const { started_at, ...record } = JSON.parse(readFileSync(file, 'utf8'))
    await aFile(
      file,
      JSON.stringify({ ...record, started_at, finished_at: started_at, copied_at: undefined }),
    )
  }
  const walOf = (id: string) => readdirSync(join(store, 'data/backup', id, 'wal')).sort()

  it('shows in a dry run what would go and why the others stay, and removes nothing', async () => {
    const { status, kept, pruned, dry_run } = await json('prune', '--from', 'far', '--dry-run')
    expect({ status, dry_run, pruned: idsOf(pruned) }).toEqual({
      status: 0,
      dry_run: true,
      pruned: [old, newer],
    })
    expect(kept).toMatchObject([
      { id: newest, reasons: expect.arrayContaining([{ rule: 'newest whole', detail: null }]) },
    ])
    expect(there()).toEqual([old, newer, newest])
    expect((await pgbk('prune', '--from', 'far', '--dry-run')).stdout).toMatch(/goes.*no rule keeps it/)
  })

  it('removes by the store’s own policy, and leaves the root here alone', async () => {
    expect((await pgbk('prune', '--from', 'far')).status).toBe(2)
    const { status, pruned } = await json('prune', '--from', 'far', '--yes')
    expect({ status, pruned: idsOf(pruned) }).toEqual({ status: 0, pruned: [old, newer] })
    expect(there()).toEqual([newest])
    expect(idsIn(backup.root)).toEqual([old, newer, newest])
    expect((await runPgbk(['verify', '-C', store])).status).toBe(0)
  })

  it('does not send again what it would remove', async () => {
    await pgbk('prune', '--from', 'far', '--yes')
    const { status, stdout, stderr } = await pgbk('upload', '--all', '--to', 'far')
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('every backup') })
    expect(stderr).toContain(`would remove it there: ${old}, ${newer}`)
    expect(there()).toEqual([newest])
  })

  it('keeps what is held there, until it is released', async () => {
    expect(await json('hold', old, '--from', 'far', '--reason', 'audit')).toMatchObject({
      status: 0,
      backup: { id: old, hold: { reason: 'audit' } },
    })
    expect((await pgbk('delete', old, '--from', 'far', '--yes')).stderr).toContain('held: audit')
    expect(idsOf((await json('prune', '--from', 'far', '--yes')).pruned)).toEqual([newer])
    expect((await pgbk('release', old, '--from', 'far')).status).toBe(0)
    expect(idsOf((await json('prune', '--from', 'far', '--yes')).pruned)).toEqual([old])
  })

  it('lets the WAL of a backup that goes stay with an older one, which needs it to reach as far as now', async () => {
    const segment = '000000010000000000000077.gz'
    await aFile(join(store, 'data/backup', newer, 'wal', segment), 'packed')
    const { moved_wal } = await json('delete', newer, '--from', 'far', '--yes')
    expect(moved_wal).toEqual([{ from: newer, to: old, segments: 1, size_bytes: 6 }])
    expect(walOf(old)).toContain(segment)
    expect(there()).toEqual([old, newest])
  })

  it('lets it go with a span of WAL that does not reach so far back', async () => {
    for (const id of [old, newer, newest]) await finishedThen(id)
    const before = walOf(old)
    await aFile(join(store, 'data/backup', newer, 'wal/000000010000000000000077.gz'), 'packed')
    await pgbk('hold', old, '--from', 'far')
    await configure({ daily: 1, wal: '1 day' })
    expect(await json('prune', '--from', 'far', '--yes')).toMatchObject({ moved_wal: [] })
    expect(walOf(old)).toEqual(before)
  })

  it('does not delete the last whole one, unless that is said', async () => {
    const refused = await pgbk('delete', old, newer, newest, '--from', 'far', '--yes')
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('--last') })
    expect(there()).toHaveLength(3)
    expect((await pgbk('delete', old, newer, newest, '--from', 'far', '--last')).status).toBe(0)
    expect(there()).toEqual([])
  })

  it('sweeps what a killed upload has left, a day after it, and what goes on it leaves alone', async () => {
    for (const [id, age] of [
      ['20240101T000000Z', '25 hours ago'],
      ['20240102T000000Z', '1 hour ago'],
    ] as const) {
      const left = join(store, 'data/backup', id)
      await run(['mkdir', left])
      await run(['touch', '-d', age, join(left, 'snapshot.squashfs')])
    }
    const dry = await json('prune', '--from', 'far', '--dry-run')
    expect(dry.swept).toEqual(['20240101T000000Z'])
    expect(existsSync(join(store, 'data/backup/20240101T000000Z'))).toBe(true)
    const { swept } = await json('prune', '--from', 'far', '--yes')
    expect(swept).toEqual(['20240101T000000Z'])
    expect(there()).toEqual(['20240102T000000Z', newest])
  })

  it('takes no root for a store: neither this one nor another', async () => {
    const env = anSshTo({})
    for (const from of [backup.root, '.', `elsewhere:${backup.root}`]) {
      for (const command of [
        ['delete', old, '--yes'],
        ['prune', '--yes'],
        ['hold', old],
        ['upload', old],
      ]) {
        const args = [...command, command[0] === 'upload' ? '--to' : '--from', from]
        expect(await runPgbk(args, { cwd: backup.root, env })).toMatchObject({
          status: 2,
          stderr: expect.stringContaining('not a store'),
        })
      }
    }
    expect(idsIn(backup.root)).toHaveLength(3)
  })

  it('removes nothing without a policy, and says how to write one', async () => {
    await configure({})
    const { status, stdout } = await pgbk('prune', '--from', 'far', '--yes')
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/Nothing is removed.*stores:.*far:/s),
    })
    expect(there()).toHaveLength(3)
  })
})

const idsOf = (backups: { id: string }[]) => backups.map(({ id }) => id)

async function recordIn({ directory }: MadeBackup): Promise<MadeBackup['record']> {
  const { stdout } = await run(['cat', join(directory, 'backup.json')])
  return JSON.parse(stdout)
}
