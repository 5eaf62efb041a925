import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect } from '@jest/globals'
import { aBackupOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { aReadyRun, failureOf } from '../helpers/local-run.js'
import { ifMounts, needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, fill, type TestServer } from '../helpers/server.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { withPrograms } from '../helpers/ssh.js'
import { entriesOf, madeBy } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

const programs = ['program mksquashfs', 'program squashfuse'] as const
const { describe, it } = needs('user namespaces', '/dev/fuse', ...programs)

let server: TestServer
let original: MadeBackup
beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  await fill(server)
  original = await aBackupOf(server)
})

const listed = async (root: string): Promise<string[]> =>
  JSON.parse((await runPgbk(['list', '-C', root, '--json'])).stdout).backups.map(
    ({ id }: MadeBackup['record']) => id,
  )
/** Where its configuration is found. */
const inRoot = () => ({ cwd: original.root })
/** What a create or a pack has left. */
const partials = (root: string) => entriesOf(root).filter((name) => /partial|squashfs|pgbk-form/.test(name))

describe('create --packed', () => {
  const create = (root: string, env: Record<string, string> = {}) =>
    runPgbk(['create', '--packed', '--json', '-C', root], { env: { ...server.env, ...env } })

  it.each([
    ['is not there any more', 'exit 127', 'programs-missing', 'mksquashfs is not installed'],
    ['fails', 'echo cannot read a file >&2; exit 1', 'failed', 'mksquashfs failed: cannot read a file'],
    ['is killed', 'kill -KILL $$', 'failed', 'mksquashfs failed'],
    ['makes something else', 'echo nothing >"$2"', 'damaged', 'cannot be mounted'],
  ])('leaves nothing where mksquashfs %s', async (_title, script, code, message) => {
    const root = await aRoot()
    const { status, stdout } = await create(root, packingBy(script))
    const { error } = JSON.parse(stdout)
    expect({ status, code: error?.code, message: error?.message }).toEqual({
      status: 1,
      code,
      message: expect.stringContaining(message),
    })
    expect(await listed(root)).toEqual([])
    expect(partials(root)).toEqual([])
  })

  it('leaves nothing whenever it is killed, and the next one clears away', async () => {
    const root = await aRoot()
    const begun = Date.now()
    expect((await create(root)).status).toBe(0)
    const before = await listed(root)
    for (const delay of randomNumbers(roundsOf(2), Date.now() - begun, 'kill create --packed')) {
      const child = startPgbk(['create', '--packed', '-C', root], { env: server.env })
      setTimeout(() => child.kill('SIGKILL'), delay)
      const { exitCode } = await child
      const made = (await listed(root)).filter((id) => !before.includes(id))
      expect({ seed, delay, made: made.length }).toEqual({ seed, delay, made: madeBy(exitCode, made.length) })
      before.push(...made)
    }
    expect((await create(root)).status).toBe(0)
    expect(entriesOf(root).filter((name) => name.endsWith('.partial'))).toEqual([])
    expect(await runPgbk(['verify', 'latest', '-C', root])).toMatchObject({ status: 0 })
  })

  ifMounts('leaves nothing where the disk is full while it packs', async () => {
    const disk = aSmallDisk(400)
    const fills = `dd if=/dev/zero of='${disk}/filling' bs=1M 2>/dev/null; exec /usr/bin/mksquashfs "$@"`
    const { status, stdout } = await create(disk, packingBy(fills))
    expect({ status, code: JSON.parse(stdout).error?.code }).toEqual({ status: 1, code: 'disk-full' })
    expect(await listed(disk)).toEqual([])
    expect(partials(disk)).toEqual([])
  })
})

describe('pack and unpack', () => {
  it('leave the backup as it is where the tools fail', async () => {
    const backup = await aTwinOf(original, '20200201T000000Z')
    const before = fingerprint(backup.snapshot)
    const args = [backup.record.id, '-C', backup.root]
    const env = packingBy('echo out of luck >&2; exit 1')
    expect(await runPgbk(['pack', ...args], { env })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('mksquashfs failed: out of luck'),
    })
    expect(fingerprint(backup.snapshot)).toBe(before)
    expect(await runPgbk(['pack', ...args])).toMatchObject({ status: 0 })
    const unpacking = withPrograms({ unsquashfs: '#!/bin/sh\nexit 1\n' })
    expect((await runPgbk(['unpack', ...args], { env: unpacking })).status).toBe(1)
    expect(readdirSync(backup.directory).sort()).toEqual([
      'README',
      'backup.json',
      'snapshot.squashfs',
      'wal',
    ])
    expect(entriesOf(backup.root).filter((name) => name.endsWith('.partial'))).toEqual([])
    await runPgbk(['delete', ...args, '--yes'])
  })
})

it('a backup is created while another is packed, and nothing of either is cleared away', async () => {
  const backup = await aTwinOf(original, '20200215T000000Z')
  const marks = aDirectory('pgbk-marks-')
  const slow = `touch '${marks}/packing'; until [ -e '${marks}/go' ]; do sleep 0.05; done; exec /usr/bin/mksquashfs "$@"`
  const packing = startPgbk(['pack', backup.record.id, '-C', backup.root], { env: packingBy(slow) })
  while (!existsSync(join(marks, 'packing'))) await sleep(20)
  expect((await runPgbk(['pack', original.record.id, '-C', backup.root])).status).toBe(4)
  const created = await aBackupOf(server, { root: backup.root })
  expect(partials(backup.root)).toHaveLength(1)
  writeFileSync(join(marks, 'go'), '')
  expect((await packing).exitCode).toBe(0)
  expect(await listed(backup.root)).toContain(created.record.id)
  expect(readdirSync(backup.directory)).toContain('snapshot.squashfs')
  for (const id of [backup.record.id, created.record.id])
    await runPgbk(['delete', id, '-C', backup.root, '--yes'])
})

describe('a packed backup', () => {
  let packed: MadeBackup
  beforeAll(async () => {
    packed = await aTwinOf(original, '20200101T000000Z')
    expect(await runPgbk(['pack', packed.record.id, '-C', packed.root])).toMatchObject({ status: 0 })
  })

  it.each([
    ['squashfuse', withoutSquashfuse(), 'squashfuse is not installed'],
    [
      'user namespaces',
      withPrograms({
        unshare: '#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n',
      }),
      'unshare failed',
    ],
  ])('is not run without %s, and what can be done is said', async (_title, env, reason) => {
    const { code, message, hint } = await failureOf(packed.root, [packed.record.id], { env })
    expect(code).toMatch(/^(failed|programs-missing)$/)
    expect(message).toContain('the packed snapshot cannot be mounted')
    expect(message).toContain(reason)
    expect(hint).toMatch(/takes [\d.]+ MB more on the disk:\n {2}pgbk unpack 20200101T000000Z/)
  })

  it('that cannot be mounted here is passed over by verify --all, which goes on, and is an error of its own', async () => {
    const env = withoutSquashfuse()
    const all = await runPgbk(['verify', '--all', '-C', packed.root, '--json'], { env })
    expect({ status: all.status, stderr: all.stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(
        `${packed.record.id}: its SHA-256 is right, its contents were not looked at: the packed snapshot cannot be mounted: `,
      ),
    })
    const { checks, left_out } = JSON.parse(all.stdout)
    expect(checks.map(({ backup }: { backup: string }) => backup)).toContain(original.record.id)
    expect(left_out).toEqual([
      { backup: packed.record.id, reason: expect.stringContaining('cannot be mounted: ') },
    ])
    const one = await runPgbk(['verify', packed.record.id, '-C', packed.root], { env })
    expect(one).toMatchObject({ status: 1, stderr: expect.stringContaining('squashfuse is not installed') })
  })

  it('is held, is not removed while it is in use, and goes as others do', async () => {
    const args = [packed.record.id, '-C', packed.root]
    expect(await runPgbk(['hold', ...args])).toMatchObject({ status: 0 })
    await aFile(join(packed.root, '.pgbkrc.yaml'), 'retention: { daily: 1, min: 1 }\n')
    expect((await runPgbk(['delete', ...args, '--yes'])).status).toBe(1)
    await runPgbk(['prune', '--yes', '-C', packed.root], inRoot())
    expect(await listed(packed.root)).toContain(packed.record.id)
    await runPgbk(['release', ...args])
    const one = await aReadyRun(packed.root, [packed.record.id])
    expect((await runPgbk(['delete', ...args, '--yes'])).stderr).toContain(`in use by the run ${one.name}`)
    await one.stop()
    const { stdout } = await runPgbk(['prune', '--yes', '--json', '-C', packed.root], inRoot())
    expect(JSON.parse(stdout).pruned.map(({ id }: MadeBackup['record']) => id)).toEqual([packed.record.id])
    expect(readdirSync(join(packed.root, 'data/backup'))).not.toContain(packed.record.id)
  })
})

describe('retention.pack_after', () => {
  const prune = async (...args: string[]) => {
    const words = ['prune', '--json', '-C', original.root]
    const { status, stdout, stderr } = await runPgbk([...words, ...args], inRoot())
    expect({ status, stderr }).toMatchObject({ status: 0 })
    return JSON.parse(stdout).packed as { id: string; form: string; saved_bytes: number }[]
  }

  it('has prune pack what is older, and its dry run says what that saves', async () => {
    const old = await aTwinOf(original, '20200301T000000Z')
    await aFile(join(original.root, '.pgbkrc.yaml'), 'retention: { pack_after: 2 days }\n')
    const before = fingerprint(old.directory)
    const planned = await prune('--dry-run')
    expect(planned.map(({ id, form }) => ({ id, form }))).toEqual([{ id: old.record.id, form: 'plain' }])
    expect(fingerprint(old.directory)).toBe(before)
    const { stdout } = await runPgbk(['prune', '--dry-run', '-C', original.root], inRoot())
    expect(stdout).toMatch(/Would pack .*\n {2}20200301T000000Z: saves about [\d.]+ MB/)

    const one = await aReadyRun(original.root, [old.record.id])
    expect(await prune()).toEqual([])
    await one.stop()
    const done = await prune()
    expect(done.map(({ id, form }) => ({ id, form }))).toEqual([{ id: old.record.id, form: 'packed' }])
    const [saved, about] = [done[0]?.saved_bytes ?? 0, planned[0]?.saved_bytes ?? 0]
    // What the catalogs of three equal databases take is not known from samples.
    expect(about / saved).toBeGreaterThan(0.8)
    expect(about / saved).toBeLessThan(1.1)
    expect(await runPgbk(['verify', old.record.id, '-C', original.root])).toMatchObject({ status: 0 })
    expect(JSON.parse(readFileSync(join(original.directory, 'backup.json'), 'utf8'))).not.toHaveProperty(
      'packed',
    )
    expect(await prune()).toEqual([])
  })

  it('alone says nothing of what goes: an unattended prune has its own policy', async () => {
    const twins = Array.from({ length: 9 }, (_, day) => `2020040${day + 1}T000000Z`)
    const root = await aRoot()
    for (const id of twins) await layRecord(root, id)
    await aFile(join(root, '.pgbkrc.yaml'), 'retention: { pack_after: 1000 months }\n')
    const { stdout } = await runPgbk(['prune', '--dry-run', '--default-policy', '--json', '-C', root], {
      cwd: root,
    })
    expect(JSON.parse(stdout).pruned).toHaveLength(2)
  })
})

it('schedule --packed makes the unattended ones so', async () => {
  const words = ['schedule', '--daily', '03:00', '--packed', '--print', '-C', original.root]
  expect((await runPgbk(words, { env: server.env })).stdout).toMatch(
    /create --scheduled --packed --quiet .*&& .* prune --yes/,
  )
})

/** A backup that has no more than a record and an empty data directory, made unattended. */
async function layRecord(root: string, id: string): Promise<void> {
  const directory = join(root, 'data/backup', id)
  await run(['mkdir', '-p', join(directory, 'snapshot/data')])
  await aFile(join(directory, 'snapshot/data/backup_label'), 'START WAL LOCATION: 0/3000028')
  const started_at = id.replace(/^(....)(..)(..)T.*$/, '$1-$2-$3T00:00:00.000Z')
  const record = { ...original.record, id, started_at, finished_at: started_at, kind: 'scheduled' }
  await aFile(join(directory, 'backup.json'), JSON.stringify(record))
}

/** A mksquashfs that is this script, but for its version. */
function packingBy(script: string): Record<string, string> {
  return withPrograms({ mksquashfs: `#!/bin/sh\n[ "$1" = -version ] && exit 0\n${script}\n` })
}

function withoutSquashfuse(): Record<string, string> {
  const directory = aDirectory('pgbk-bin-')
  for (const name of readdirSync('/usr/bin').filter((one) => !one.startsWith('squashfuse')))
    symlinkSync(join('/usr/bin', name), join(directory, name))
  return { PATH: directory }
}
