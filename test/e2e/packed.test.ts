import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from '@jest/globals'
import { aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { aReadyRun, failureOf, localRun, nothing, remainsOf, startLocalRun } from '../helpers/local-run.js'
import { ifRoot, needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { wordsOf } from '../helpers/process-list.js'
import { anyMajor, binOf, oldestAndNewest, run } from '../helpers/programs.js'
import {
  aServer,
  fill,
  filledAnswer,
  filledRows,
  openSnapshot,
  type TestServer,
  verifies,
} from '../helpers/server.js'
import { pidsIn } from '../helpers/servers-in.js'
import { entriesOf, until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'
import { isRoot } from '../helpers/users.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

/** A server with tablespaces and rows. */
async function aFilledServer(major: number): Promise<TestServer> {
  const server = await aServer({ major })
  await fill(server)
  return server
}

const count = 'select count(*) from ledger, elsewhere where elsewhere.n = 1'
const imageOf = ({ directory }: Pick<MadeBackup, 'directory'>) => join(directory, 'snapshot.squashfs')
/** Processes that serve an image of this root, and those that hold them. */
const served = (root: string) => pidsIn(root).filter((pid) => /squashfuse/.test(wordsOf(pid).join(' ')))

needs(...needed).describe.each(oldestAndNewest)('a backup of PostgreSQL %i that is packed', (major) => {
  let backup: MadeBackup
  let plain: MadeBackup
  beforeAll(async () => {
    const server = await aFilledServer(major)
    plain = await aBackupOf(server)
    backup = await aTwinOf(plain, '20300101T000000Z')
    const { status, stderr } = await pgbk('pack', backup.record.id)
    if (status !== 0) throw new Error(stderr)
  })
  const pgbk = (...args: string[]) => runPgbk([...args, '-C', backup.root])

  it('is one image, a README, a record of format 2, and WAL, and list tells its form and what it takes', async () => {
    expect(readdirSync(backup.directory).sort()).toEqual([
      'README',
      'backup.json',
      'snapshot.squashfs',
      'wal',
    ])
    const { backups } = JSON.parse((await pgbk('list', '--json')).stdout)
    const [packed, other] = backups
    expect(packed).toMatchObject({ format: 2, form: 'packed', state: 'whole' })
    expect(packed.packed.bytes).toBe(statSync(imageOf(backup)).size)
    expect(other).toMatchObject({ format: 1, form: 'plain' })
    const { stdout } = await pgbk('list')
    expect(stdout).toMatch(/FORM.*packed.*plain/s)
    expect((await pgbk('show', backup.record.id)).stdout).toMatch(/^Form +packed: it takes/m)
  })

  it('is opened by its README, without pgbk', async () => {
    const copy = `${backup.root}/copy`
    await run(['cp', '-a', backup.directory, copy])
    await run(['unsquashfs', '-no-progress', '-d', `${copy}/snapshot`, `${copy}/snapshot.squashfs`])
    expect(await verifies(`${copy}/snapshot`, major)).toBe(true)
    const opened = await openSnapshot(`${copy}/snapshot`, major)
    expect(await opened.sql(filledRows, 'app')).toBe(filledAnswer)
  })

  it('becomes what it was when it is unpacked', async () => {
    expect((await pgbk('unpack', backup.record.id)).status).toBe(0)
    expect(contentOf(backup.snapshot)).toBe(contentOf(plain.snapshot))
    expect(existsSync(imageOf(backup))).toBe(false)
    const { packed: _packed, ...record } = JSON.parse(
      readFileSync(join(backup.directory, 'backup.json'), 'utf8'),
    )
    expect(record).toEqual({ ...backup.record, format: 1 })
  })
})

function childrenOf(pid: number | string): string[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean)
}

/** Options for programs of PostgreSQL of which one ends what serves the image that it reads: the holder's grandchild. */
function withProgramsWhoseVerifierKills(): string[] {
  const directory = join(aDirectory('pgbk-bin-'), 'bin')
  mkdirSync(directory)
  chmodSync(join(directory, '..'), 0o755)
  const bin = binOf(anyMajor)
  const kills = `holder=$(echo "$*" | sed -n 's|.*/proc/\\([0-9]*\\)/root.*|\\1|p')
for shell in $([ -z "$holder" ] || cat /proc/$holder/task/$holder/children); do
  kill -KILL $(cat /proc/$shell/task/$shell/children)
done 2>/dev/null`
  // A link would lead to where the other programs are.
  for (const name of readdirSync(bin)) {
    const before = name === 'pg_verifybackup' ? kills : ''
    writeFileSync(join(directory, name), `#!/bin/sh\n${before}\nexec '${bin}/${name}' "$@"\n`, {
      mode: 0o755,
    })
  }
  const config = join(directory, '../config.yaml')
  writeFileSync(config, `bin_dir: ${directory}\n`)
  return ['--config', config]
}

/** Without times of a change and of the inode. */
const contentOf = (directory: string) =>
  fingerprint(directory).replaceAll(/ \d+(\.\d+)? \d+(\.\d+)?(?= )/g, '')

needs(...needed).describe('a packed backup', () => {
  let server: TestServer
  let original: MadeBackup
  let backup: MadeBackup
  let next = 0
  beforeAll(async () => {
    server = await aFilledServer(anyMajor)
    original = await aBackupOf(server)
  })
  beforeEach(async () => {
    backup = await aTwinOf(original, `203001${String(++next).padStart(2, '0')}T000000Z`)
  })
  const pgbk = (command: string, ...args: string[]) =>
    runPgbk([command, backup.record.id, '-C', backup.root, ...args])
  const pack = async () => expect(await pgbk('pack')).toMatchObject({ status: 0 })

  it('is made by create --packed, and nothing plain is left of it', async () => {
    const { root, directory, record, stderr } = await aBackupOf(server, { args: ['--packed'] })
    expect(stderr).toContain('and packed then: the server has further tablespaces')
    expect(readdirSync(directory).sort()).toEqual(['README', 'backup.json', 'snapshot.squashfs', 'wal'])
    expect(record).toMatchObject({ format: 2, verified: true })
    expect(entriesOf(root).filter((name) => name.endsWith('.partial'))).toEqual([])
    const { status, stdout } = await localRun(root, ['--dbname', 'app', '--', 'psql', '-XAtqc', count])
    expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: '1000' })
  })

  ifRoot('is used by root with the rights of its owner, and nothing is left', async () => {
    const asRoot = true
    expect((await runPgbk(['pack', backup.record.id, '-C', backup.root], { asRoot })).status).toBe(0)
    const { status, stdout } = await localRun(
      backup.root,
      [backup.record.id, '--dbname', 'app', '--', 'psql', '-XAtqc', count],
      { asRoot },
    )
    expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: '1000' })
    expect(await runPgbk(['verify', backup.record.id, '-C', backup.root], { asRoot })).toMatchObject({
      status: 0,
    })
    expect((await runPgbk(['unpack', backup.record.id, '-C', backup.root], { asRoot })).status).toBe(0)
    expect(contentOf(backup.snapshot)).toBe(contentOf(original.snapshot))
    expect(served(backup.root)).toEqual([])
  })

  it('is not unpacked while a detached run goes on, which leaves nothing when it is stopped', async () => {
    await pack()
    const { stdout } = await localRun(backup.root, [
      backup.record.id,
      '--json',
      '--detach',
      '--dbname',
      'app',
    ])
    const { name, url } = JSON.parse(stdout).run
    expect((await run([`${binOf(anyMajor)}/psql`, '-XAtqc', count, url])).stdout).toBe('1000')
    expect((await pgbk('unpack')).stderr).toContain(`is in use by the run ${name}`)
    expect(await runPgbk(['instance', 'stop', name, '-C', backup.root])).toMatchObject({ status: 0 })
    await until('nothing of it is left', () => served(backup.root).length === 0)
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  it('ends its run when squashfuse is killed, says so, and nothing is left', async () => {
    await pack()
    const command = ['sh', '-c', 'echo ready; psql -c "select pg_sleep(60)"; exit 3']
    const child = startLocalRun(backup.root, [backup.record.id, '--dbname', 'app', '--', ...command])
    let printed = ''
    child.stdout?.on('data', (chunk) => {
      printed += chunk
    })
    await until('COMMAND runs', () => printed !== '' || child.exitCode !== null)
    // It has no working directory by which it would be found, as the shell that watches over it has.
    const children = served(backup.root).flatMap(childrenOf)
    const servers = children.filter((pid) =>
      /^\S*squashfuse\S* -f \/proc\/self\/fd\/7 lower/.test(wordsOf(pid).join(' ')),
    )
    expect(servers).toHaveLength(1)
    process.kill(Number(servers[0]), 'SIGKILL')
    const { exitCode, stderr } = await child
    expect(exitCode).toBe(1)
    expect(stderr).toContain('what serves the packed backup has ended')
    expect(served(backup.root)).toEqual([])
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  it('whose squashfuse is killed while it is verified is not called damaged', async () => {
    await pack()
    const { status, stdout } = await pgbk('verify', '--json', ...withProgramsWhoseVerifierKills())
    const { error } = JSON.parse(stdout)
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'failed' })
    expect(error.message).toContain('can no longer be read: squashfuse was ended')
  })

  it('that is packed while a run begins is either used, or the run says to try again', async () => {
    const args = [backup.record.id, '--dbname', 'app', '--', 'psql', '-XAtqc', count]
    for (const wanted of ['pack', 'unpack']) {
      const change = pgbk(wanted)
      for (let isOver = false; !isOver; ) {
        const ended = await Promise.race([change, Promise.resolve()])
        isOver = ended !== undefined
        const { status, stdout, stderr } = await localRun(backup.root, args)
        expect({ status, stdout: stdout.trim(), stderr }).toMatchObject(
          status === 0 ? { stdout: '1000' } : { stderr: expect.stringContaining('its other form') },
        )
      }
      const { stderr } = await change
      if (stderr.includes('is in use by')) await pgbk(wanted)
    }
  })

  it('with a byte flipped in its image is found by verify', async () => {
    await pack()
    const file = await open(imageOf(backup), 'r+')
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 100_000)
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 100_000)
    await file.close()
    const { status, stdout } = await pgbk('verify', '--json')
    expect({ status, faults: JSON.parse(stdout).checks[0].faults }).toEqual({
      status: 6,
      faults: [{ file: 'snapshot.squashfs', problem: 'its SHA-256 is not that of the record' }],
    })
    expect((await pgbk('unpack')).status).toBe(1)
    expect(existsSync(imageOf(backup))).toBe(true)
  })

  it('with an image that is cut off is not opened', async () => {
    await pack()
    const { size } = statSync(imageOf(backup))
    await truncate(imageOf(backup), size - 4096)
    const problem = `it has ${size - 4096} bytes instead of ${size}`
    const { code, message } = await failureOf(backup.root, [backup.record.id])
    expect({ code, message }).toEqual({ code: 'damaged', message: expect.stringContaining(problem) })
    expect((await pgbk('verify')).status).toBe(6)
  })

  it('is not made of one that was opened, nor of one that is in use, and twice is once', async () => {
    const one = await aReadyRun(backup.root, [backup.record.id])
    expect((await pgbk('pack')).stderr).toContain(`is in use by the run ${one.name}`)
    await one.stop()
    await pack()
    expect(await pgbk('pack')).toMatchObject({
      status: 0,
      stdout: '',
      stderr: expect.stringContaining('is packed already'),
    })
    const other = await aTwinOf(original, '20310101T000000Z')
    await run(['mv', `${other.snapshot}/data/backup_label`, `${other.snapshot}/data/backup_label.old`])
    const used = await runPgbk(['pack', other.record.id, '-C', backup.root])
    expect(used).toMatchObject({ status: 1, stderr: expect.stringContaining('is used') })
    expect(existsSync(join(other.directory, 'snapshot/data'))).toBe(true)
  })

  it('leaves a directory alone that somebody has unpacked beside it', async () => {
    await pack()
    await run(['mkdir', backup.snapshot])
    await writeFile(join(backup.snapshot, 'mine'), '')
    expect((await pgbk('unpack')).stderr).toContain('is there already')
    expect(readdirSync(backup.snapshot)).toEqual(['mine'])
  })

  it('is whole in one form or the other whenever pack and unpack are killed, and the next one clears away', async () => {
    const started = Date.now()
    await pack()
    const length = Date.now() - started
    let form = 'packed'
    for (const delay of randomNumbers(roundsOf(2), length, 'kill pack')) {
      const child = startPgbk([form === 'packed' ? 'unpack' : 'pack', backup.record.id, '-C', backup.root])
      setTimeout(() => child.kill('SIGKILL'), delay)
      await child
      const { status, stdout } = await pgbk('verify', '--json')
      const [check] = JSON.parse(stdout).checks
      expect({ seed, delay, status, check }).toMatchObject({ status: 0, check: { faults: [] } })
      form = JSON.parse((await pgbk('show', '--json')).stdout).backup.form
    }
    expect((await pgbk(form === 'packed' ? 'unpack' : 'pack')).status).toBe(0)
    expect(entriesOf(backup.root).filter((name) => name.endsWith('.partial'))).toEqual([])
    expect(await pgbk('verify')).toMatchObject({ status: 0 })
    expect(isRoot || served(backup.root).length === 0).toBe(true)
  })
})
