import { existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { idOf } from '../../src/catalog/id.js'
import { backupLayout, type RootLayout, rootLayout } from '../../src/catalog/layout.js'
import type { BackupRecord } from '../../src/catalog/record.js'
import { aProof, aRecord } from '../catalog/samples.js'
import { aFile } from '../helpers/backup.js'
import { program, runPgbk, startPgbk } from '../helpers/pgbk.js'
import { run } from '../helpers/programs.js'
import { aRoot } from '../helpers/server.js'
import { idsIn, until } from '../helpers/traces.js'
import { asUser, ifRoot, ordinaryUser } from '../helpers/users.js'

/** prune reads records and looks for what goes on: no server is needed. */
let root: RootLayout
const day = 86_400_000
const daysAgo = (count: number) => idOf(new Date(Date.now() - count * day))
let ids: string[]

async function lay(id: string, changes: Partial<BackupRecord> = {}): Promise<void> {
  const layout = backupLayout(root.backup(id))
  await run(['mkdir', '-p', layout.data])
  await aFile(join(layout.data, 'backup_label'), 'START WAL LOCATION: 0/3000028')
  const [year, month, date, hour, minute, second] = id.match(/\d\d(?=\d\d)?/g)?.slice(1) ?? []
  const started_at = `20${year}-${month}-${date}T${hour}:${minute}:${second}.000Z`
  await aFile(layout.record, JSON.stringify(aRecord({ id, started_at, finished_at: started_at, ...changes })))
}

const configure = (retention: object | undefined) =>
  aFile(join(root.root, '.pgbkrc.json'), JSON.stringify({ retention, time_zone: 'UTC' }))
const pgbk = (args: string[]) => runPgbk(args, { cwd: root.root })
const left = () => idsIn(root.root)
const newest = (count: number) => ids.slice(0, count).sort()

/** One backup of each of six days, newest first. */
beforeEach(async () => {
  root = rootLayout(await aRoot())
  ids = Array.from({ length: 6 }, (_, index) => daysAgo(index))
  for (const id of ids) await lay(id, { kind: 'scheduled' })
  await configure({ daily: 2 })
})

describe('without a policy', () => {
  it.each([[undefined], [{ min: 1 }]])(
    'of %j prune removes nothing, and says how to write one',
    async (policy) => {
      await configure(policy)
      const { status, stdout } = await pgbk(['prune', '--yes'])
      expect(status).toBe(0)
      expect(stdout).toContain('Nothing is removed: no retention policy says what may go.')
      expect(stdout).toContain('  retention:\n    daily: 7')
      expect(left()).toEqual(newest(6))
      const { kept, pruned } = JSON.parse((await pgbk(['prune', '--json'])).stdout)
      expect([kept.length, pruned]).toEqual([6, []])
    },
  )

  it('prune -C names the file that this very call reads, and a command that reads it from anywhere', async () => {
    await run(['rm', join(root.root, '.pgbkrc.json')])
    const cwd = await aRoot()
    const { stdout } = await runPgbk(['prune', '-C', root.root], { cwd })
    const policy = /^ +retention:\n(?: .*\n)+/m.exec(stdout)?.[0] ?? ''
    const [file = ''] = /\S+\/\.pgbkrc\.yaml$/m.exec(stdout) ?? []
    await aFile(file, policy.replace(/^ {2}/gm, ''))
    const [, command = ''] = /^ {2}pgbk (prune .*)$/m.exec(stdout) ?? []
    const here = await runPgbk(['prune', '--dry-run', '-C', root.root], { cwd })
    expect(here.stdout).toMatch(/ daily .*\n[\s\S]*nothing to remove/)
    expect(await runPgbk(command.split(' '), { cwd: '/' })).toEqual(here)
  })
})

describe('prune --dry-run', () => {
  it('shows what would go, why the others stay, and changes nothing', async () => {
    await configure({ daily: 2, min: 3 })
    const { status, stdout } = await pgbk(['prune', '--dry-run'])
    expect(status).toBe(0)
    const [header, ...rows] = stdout.split('\n')
    expect(header).toMatch(/^ID +AGE +KIND +SIZE +WHAT +WHY$/)
    expect(rows[0]).toMatch(new RegExp(`^${ids[0]} .* stays +newest whole, daily \\(20..-..-..\\)$`))
    expect(rows[2]).toMatch(/ stays +min \(of 3\)$/)
    expect(rows[3]).toMatch(/ goes +no rule keeps it$/)
    expect(stdout).toMatch(/would remove 3 of 6 backups in \/.*, 114 MB$/)
    expect(left()).toEqual(newest(6))
  })

  it('is one JSON document', async () => {
    const { kept, pruned, dry_run } = JSON.parse((await pgbk(['prune', '--dry-run', '--json'])).stdout)
    expect(dry_run).toBe(true)
    expect(kept[0]).toMatchObject({
      id: ids[0],
      state: 'whole',
      reasons: [
        { rule: 'newest whole', detail: null },
        { rule: 'daily', detail: expect.any(String) },
      ],
    })
    expect(pruned.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2))
  })
})

describe('prune', () => {
  it('removes nothing unasked', async () => {
    const { status, stderr } = await pgbk(['prune'])
    expect(status).toBe(2)
    expect(stderr).toContain('--yes')
    expect(left()).toEqual(newest(6))
  })

  it('removes what no rule keeps, and has then nothing to do', async () => {
    const { status, stdout } = await pgbk(['prune', '--yes'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/ removed +no rule keeps it\n/)
    expect(stdout).toMatch(/\nremoved 4 of 6 backups in /)
    expect(left()).toEqual(newest(2))
    expect((await pgbk(['prune'])).stdout).toContain('nothing to remove of 2 backups')
    expect(await pgbk(['prune', '--yes', '-q'])).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  it.each([
    ['y\r', 0, 2],
    ['n\r', 1, 6],
    ['\u0003', 130, 6],
  ])('on a terminal does what it is told (%j)', async (keys, expected, count) => {
    const line = `exec timeout --foreground -s KILL 20 '${process.execPath}' '${program}' prune`
    const [file = '', ...rest] = [
      ...asUser(),
      'script',
      '-qec',
      `stty rows 24 columns 80; ${line}`,
      '/dev/null',
    ]
    const terminal = execa(file, rest, { cwd: root.root, reject: false, all: true })
    let said = ''
    terminal.all?.on('data', (chunk) => {
      said += chunk
      if (/\[y\/N\] /.test(said) && terminal.stdin.writable) terminal.stdin.end(keys)
    })
    expect((await terminal).exitCode).toBe(expected)
    expect(said).toContain('Delete these 4 backups (153 MB) for good?')
    expect(left()).toEqual(newest(count))
  })

  it('leaves alone what is no backup, what is used, and what it cannot read', async () => {
    const [, , , used = '', broken = '', unread = ''] = ids
    const { data } = backupLayout(root.backup(used))
    renameSync(join(data, 'backup_label'), join(data, 'backup_label.old'))
    const record = { ...aRecord({ id: broken }), server: { version: '15.18' } }
    await writeFile(backupLayout(root.backup(broken)).record, JSON.stringify(record))
    await writeFile(backupLayout(root.backup(unread)).record, 'nonsense')
    await mkdir(join(root.backups, '20200101T000000Z'))
    const { stdout } = await pgbk(['prune', '--yes'])
    expect(stdout).toMatch(/ stays +not whole \(only pgbk delete removes it\)/)
    expect(left()).toEqual(['20200101T000000Z', ...[ids[0], ids[1], used, broken, unread].sort()])
  })

  it('warns of those made by hand when the policy does not mention them', async () => {
    await lay(daysAgo(10), { kind: 'on-demand' })
    const { stderr } = await pgbk(['prune', '--dry-run'])
    expect(stderr).toMatch(/^warning: 1 of those that go was made on demand, and the policy has no on_demand/)
    await configure({ daily: 2, on_demand: 1 })
    const { stdout, stderr: quiet } = await pgbk(['prune', '--dry-run'])
    expect(quiet).toBe('')
    expect(stdout).toMatch(/on-demand .* stays +on_demand\n/)
  })

  it('judges each cluster by itself', async () => {
    for (const id of ids.slice(3))
      await lay(id, { kind: 'scheduled', server: { ...aRecord().server, system_identifier: '1' } })
    await pgbk(['prune', '--yes'])
    expect(left()).toEqual([0, 1, 3, 4].map((index) => ids[index]).sort())
  })

  it('keeps the newest proven one, and takes a failed one for none', async () => {
    const prove = (id = '', ok = true) =>
      aFile(backupLayout(root.backup(id)).proof, JSON.stringify(aProof({ backup: id, ok })))
    await prove(ids[0], false)
    await prove(ids[4])
    const { stdout } = await pgbk(['prune', '--yes'])
    expect(stdout).toMatch(/ newest that no check failed, daily /)
    expect(stdout).toMatch(/ newest proven\n/)
    // A failed day takes the place of no good one.
    expect(left()).toEqual([ids[0], ids[1], ids[2], ids[4]].sort())
    const list = await pgbk(['list'])
    expect(list.stdout).toMatch(/^ID .* STATE .*PROOF +LABEL$/m)
    expect(list.stdout).toMatch(/whole .*failed .* ago/)
    expect(list.stdout).toMatch(/whole .*proven .* ago, ready in 0.9 s/)
    const latest = await pgbk(['show', 'latest', '--json'])
    expect(JSON.parse(latest.stdout).backup.id).toBe(ids[1])
    expect(latest.stderr).toContain(`latest skips ${ids[0]}: its newest check failed`)
  })

  it('leaves alone what a run uses', async () => {
    const [, , third = ''] = ids
    const place = join(root.runs, `${third}-1`)
    await run(['mkdir', '-p', place])
    const sleeper = execa('sleep', ['100'], { reject: false })
    const stat = readFileSync(`/proc/${sleeper.pid}/stat`, 'utf8')
    const pgbk_start_time = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    const marker = {
      backup: third,
      pgbk_pid: sleeper.pid,
      pgbk_start_time,
      pid_space: null,
      detached: false,
      started_at: '',
    }
    await aFile(join(place, '.pgbk-run.json'), JSON.stringify(marker))
    const { stdout } = await pgbk(['prune', '--yes'])
    expect(stdout).toContain(`in use (by the run ${third}-1)`)
    expect((await pgbk(['delete', third])).stderr).toContain(`in use by the run ${third}-1`)
    sleeper.kill()
    await sleeper
    expect(left()).toEqual(newest(3))
    expect((await pgbk(['prune', '--yes'])).status).toBe(0)
    expect(left()).toEqual(newest(2))
  })

  ifRoot('as root works as the owner of the backups', async () => {
    const env = { PGBK_RETENTION_DAILY: '2' }
    const { status } = await runPgbk(['prune', '--yes', '-C', root.root], { env, asRoot: true })
    expect(status).toBe(0)
    expect(left()).toEqual(newest(2))
    expect(statSync(root.catalogLock).uid).toBe(ordinaryUser.uid)
  })

  describe('that takes its time', () => {
    let running: ReturnType<typeof startPgbk>
    beforeEach(async () => {
      const many = join(root.backup(ids[2] ?? ''), 'snapshot/data/many')
      await run(['mkdir', many])
      await run(['sh', '-c', 'seq 1 40000 | xargs touch'], { cwd: many })
      running = startPgbk(['prune', '--yes'], { cwd: root.root })
      const hasBegun = () => ids.some((id) => !existsSync(backupLayout(root.backup(id)).record))
      await until('the first has begun to go', hasBegun)
      running.kill('SIGSTOP')
    })

    it('can be interrupted between two, and only the one that it had begun is removed', async () => {
      running.kill('SIGINT')
      running.kill('SIGCONT')
      const { exitCode, stderr } = await running
      expect(exitCode).toBe(130)
      expect(stderr).toMatch(/^removed \d{8}T/m)
      expect(left()).toHaveLength(5)
      expect((await pgbk(['list'])).stderr).toBe('')
    })

    it('leaves alone what is held meanwhile', async () => {
      const last = ids[5] ?? ''
      const hold = pgbk(['hold', last])
      const inode = new RegExp(`-> FLOCK .*:${statSync(root.catalogLock).ino} `)
      await until('it waits for its turn', () => inode.test(readFileSync('/proc/locks', 'utf8')))
      running.kill('SIGCONT')
      expect((await hold).status).toBe(0)
      const { exitCode, stderr, stdout } = await running
      expect(exitCode).toBe(0)
      expect(stderr).toContain(`${last} stays: it is needed since just now`)
      expect(stdout).toMatch(/ stays +held\n/)
      expect(left()).toEqual([ids[0], ids[1], last].sort())
    })
  })
})

describe('hold', () => {
  it('keeps a backup from prune and delete, and is shown, until it is released', async () => {
    const [, , , fourth = ''] = ids
    const held = await pgbk(['hold', fourth, '--reason', 'for the audit'])
    expect(held).toMatchObject({
      status: 0,
      stdout: `Held ${fourth} (for the audit): neither prune nor delete removes it.`,
    })
    expect((await pgbk(['prune', '--yes'])).stdout).toMatch(/ stays +held \(for the audit\)\n/)
    expect(left()).toEqual([ids[0], ids[1], fourth].sort())
    const refused = await pgbk(['delete', '--yes', fourth])
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain(`backup ${fourth} is held: for the audit`)
    expect(refused.stderr).toContain(`pgbk release ${fourth}`)
    expect((await pgbk(['list'])).stdout).toMatch(new RegExp(`^${fourth}.* whole, held( |$)`, 'm'))
    const { hold } = JSON.parse((await pgbk(['show', fourth, '--json'])).stdout).backup
    expect(hold).toEqual({ since: expect.stringMatching(/^\d{4}-.*Z$/), reason: 'for the audit' })
    expect((await pgbk(['release', fourth])).stdout).toBe(`Released ${fourth}.`)
    expect(existsSync(backupLayout(root.backup(fourth)).hold)).toBe(false)
    expect((await pgbk(['prune', '--yes'])).status).toBe(0)
    expect(left()).toEqual(newest(2))
  })

  it('said twice keeps the first reason unless there is a new one', async () => {
    const reason = async () =>
      JSON.parse((await pgbk(['show', 'oldest', '--json'])).stdout).backup.hold.reason
    await pgbk(['hold', 'oldest', '--reason', 'one'])
    await pgbk(['hold', 'oldest'])
    expect(await reason()).toBe('one')
    await pgbk(['hold', 'oldest', '--reason', 'two'])
    expect(await reason()).toBe('two')
  })

  it('that cannot be read holds too', async () => {
    await aFile(backupLayout(root.backup(ids[5] ?? '')).hold, '{"fo')
    await pgbk(['prune', '--yes'])
    expect(left()).toEqual([ids[0], ids[1], ids[5]].sort())
  })

  it('wants a backup that is there, and one line of reason', async () => {
    expect((await pgbk(['hold', '20200101T000000Z'])).status).toBe(3)
    expect((await pgbk(['hold', 'latest', '--reason', 'a\nb'])).status).toBe(2)
    const { status, stderr } = await pgbk(['release', 'latest'])
    expect(status).toBe(0)
    expect(stderr).toContain('was not held')
  })
})
