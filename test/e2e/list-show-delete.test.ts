import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { program, runPgbk, startPgbk } from '../helpers/pgbk.js'
import { anyMajor, attempt, run } from '../helpers/programs.js'
import { aRoot, aServer, fill, openSnapshot, type TestServer } from '../helpers/server.js'
import { entriesOf, idsIn, until } from '../helpers/traces.js'
import { asUser } from '../helpers/users.js'
import { asFound } from '../terminal/screens.js'

const oldest = '20250101T030000Z'
const older = '20250102T030000Z'

let server: TestServer
let newest: MadeBackup
let original: MadeBackup

beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  await fill(server)
  original = await aBackupOf(server, { args: ['--label', 'before the upgrade', '--scheduled'] })
})

/** A root with three backups; the newest is the one that was really made. */
beforeEach(async () => {
  const root = await aRoot()
  await run(['cp', '-a', join(original.root, 'data'), root])
  const directory = join(root, 'data/backup', original.record.id)
  newest = { ...original, root, directory, snapshot: join(directory, 'snapshot') }
  await aTwinOf(newest, oldest)
  await aTwinOf(newest, older)
})

const pgbk = (...args: string[]) => runPgbk([...args, '-C', newest.root])
const ids = () => idsIn(newest.root)
const all = () => [oldest, older, newest.record.id]

/** What a shell makes of a line with `pgbk` in it. */
function inShell(line: string) {
  const script = `set -o pipefail; pgbk() { '${process.execPath}' '${program}' "$@"; }; ${line}`
  return attempt(['bash', '-c', script], { cwd: newest.root })
}

/** What a shell on a terminal makes of pgbk, when these keys are typed. */
async function onTerminal(args: string[], keys: string, size = 'rows 24 columns 80') {
  const pgbkLine = [process.execPath, program, ...args, '-C', newest.root].map((word) => `'${word}'`)
  const command = `stty ${size}; exec timeout --foreground --signal=KILL 20 ${pgbkLine.join(' ')}`
  const [file = '', ...rest] = [...asUser(), 'script', '-qec', command, '/dev/null']
  const terminal = execa(file, rest, { cwd: '/', reject: false, all: true })
  let said = ''
  terminal.all?.on('data', (chunk) => {
    said += chunk
    if (/\[y\/N\] /.test(said) && terminal.stdin.writable) terminal.stdin.end(keys)
  })
  return { status: (await terminal).exitCode, said: () => said }
}

/** Starts a server in a snapshot, as somebody does who follows its README, and lets it end. */
async function use({ snapshot }: MadeBackup): Promise<void> {
  await (await openSnapshot(snapshot, anyMajor)).stop()
}

describe('list', () => {
  it('is a table, newest first, with a summary', async () => {
    const { status, stdout, stderr } = await pgbk('list')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const [header, ...rows] = stdout.split('\n')
    expect(header).toMatch(/^ID +AGE +KIND +VERSION +SIZE +STATE +LABEL$/)
    expect(rows.slice(0, 3).map((row) => row.split(' ')[0])).toEqual(all().reverse())
    expect(rows[0]).toMatch(/just now +scheduled +\d+\.\d+ +[\d.]+ MB +whole +before the upgrade$/)
    expect(rows.at(-1)).toMatch(/^3 backups, [\d.]+ MB, [\d.]+ [TGM]B free, in \/.*$/)
    expect(rows.at(-1)).toContain(newest.root)
  })

  it('is one JSON document with the records', async () => {
    const { status, stdout, stderr } = await pgbk('list', '--json')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const document = JSON.parse(stdout)
    expect(document).toMatchObject({ rejected: [], root: newest.root, free_bytes: expect.any(Number) })
    expect(document.backups.map(({ id }: { id: string }) => id)).toEqual(all().reverse())
    const window = expect.objectContaining({
      from: newest.record.finished_at,
      ends_with: 'snapshot',
      gap: null,
    })
    expect(document.backups[0]).toEqual({
      ...newest.record,
      ...asFound(newest.record),
      directory: newest.directory,
      window,
    })
  })

  it('names what is no whole backup, with the reason, on standard error', async () => {
    const backups = join(newest.root, 'data/backup')
    await run(['mkdir', join(backups, '20250103T030000Z'), join(backups, 'notes')])
    await run(['rm', join(backups, older, 'backup.json')])
    const { status, stdout, stderr } = await pgbk('list')
    expect(status).toBe(0)
    expect(stdout).not.toMatch(/20250102|20250103|notes/)
    for (const name of [older, '20250103T030000Z'])
      expect(stderr).toContain(`${name} is not a whole backup: it`)
    expect(stderr).toContain('notes is not a whole backup: its name is not a datestamp')
  })

  it('says where it looked when there is nothing', async () => {
    const empty = await aRoot()
    const { status, stdout } = await runPgbk(['list', '-C', empty])
    expect(status).toBe(0)
    expect(stdout).toContain(`No backups in ${empty}`)
    const json = await runPgbk(['list', '--json', '-C', empty])
    expect(JSON.parse(json.stdout)).toMatchObject({ backups: [], root: empty })
  })

  it('says that a backup was used once a server ran in it', async () => {
    await use(newest)
    const { stdout } = await pgbk('list')
    expect(stdout).toMatch(new RegExp(`^${newest.record.id}.* used `, 'm'))
    expect(stdout).toMatch(new RegExp(`^${older}.* whole `, 'm'))
  })

  it('ends quietly when its reader does', async () => {
    const record = readFileSync(join(newest.directory, 'backup.json'), 'utf8')
    for (let second = 0; second < 1500; second++) {
      const id = new Date(Date.UTC(2024, 0, 1) + second * 1000).toISOString().replace(/[-:]|\.\d+/g, '')
      await mkdir(join(newest.root, 'data/backup', id))
      const text = record.replace(newest.record.id, id)
      await writeFile(join(newest.root, 'data/backup', id, 'backup.json'), text)
    }
    const { status, stdout, stderr } = await inShell('pgbk list | head -1')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^ID +AGE/)
  })

  it('fails when its result cannot be written', async () => {
    const { status, stderr } = await inShell('pgbk list > /dev/full')
    expect(status).toBe(1)
    expect(stderr).toContain('cannot write to standard output')
    expect(stderr).toContain('ENOSPC')
  })
})

describe('show', () => {
  it('tells everything, and what could come next', async () => {
    const { status, stdout, stderr } = await pgbk('show', newest.record.id)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^Label +before the upgrade$/m)
    expect(stdout).toMatch(/^ +app +[\d.]+ MB .*1 \(empty in a copy\)$/m)
    expect(stdout).toMatch(/^ +strange name +[\d.]+ MB /m)
    expect(stdout).toContain(join(server.directory, 'space=two'))
    expect(stdout).toContain(`cd ${newest.snapshot} && postgres -D conf`)
    expect(stdout).toContain(`pgbk delete ${newest.record.id} -C ${newest.root}`)
  })

  it('is one JSON document with the record', async () => {
    const { stdout } = await pgbk('show', 'latest', '--json')
    expect(JSON.parse(stdout)).toEqual({
      backup: {
        ...newest.record,
        ...asFound(newest.record),
        directory: newest.directory,
        window: expect.anything(),
      },
    })
  })

  it.each([
    ['20250101', oldest],
    ['20250102T03', older],
    ['oldest', oldest],
    [older, older],
  ])('understands %s', async (wanted, id) => {
    expect(JSON.parse((await pgbk('show', wanted, '--json')).stdout).backup.id).toBe(id)
  })

  it.each([['latest'], []])(
    'takes as latest, or when it is told %j, the newest whole one, and says what it skips',
    async (...id) => {
      await use(newest)
      const from = await runPgbk(['show', ...id, '--from', newest.root, '--json'])
      for (const { stdout, stderr } of [await pgbk('show', ...id, '--json'), from]) {
        expect(JSON.parse(stdout).backup.id).toBe(older)
        expect(stderr).toContain(`latest skips ${newest.record.id}: its state is used`)
      }
    },
  )

  it('wants a longer prefix when there are two', async () => {
    await aTwinOf(newest, '20250101T040000Z')
    const { status, stderr } = await pgbk('show', '20250101')
    expect(status).toBe(3)
    expect(stderr).toContain('matches more than one backup')
    for (const id of [oldest, '20250101T040000Z']) expect(stderr).toContain(id)
  })

  it.each([
    ['20240101T000000Z', 3, 'not-found'],
    ['2025', 2, 'usage'],
    ['../backup', 2, 'usage'],
  ])('answers %s with status %i and an error document', async (wanted, status, code) => {
    const ended = await pgbk('show', wanted, '--json')
    expect(ended.status).toBe(status)
    expect(JSON.parse(ended.stdout)).toEqual({
      error: { code, message: expect.stringContaining(wanted), hint: expect.any(String) },
    })
  })
})

describe('an error document', () => {
  it('comes from a create that reaches no server', async () => {
    const { status, stdout } = await runPgbk(['create', '--json', '-h', '/nowhere', '-C', await aRoot()])
    expect(status).toBe(5)
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'unreachable', hint: expect.any(String) })
  })

  it('comes from an option that there is not', async () => {
    const { status, stdout } = await pgbk('list', '--json', '--nonsense')
    expect(status).toBe(2)
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'usage' })
  })
})

describe('delete without a terminal', () => {
  it('removes what whole ids name, and does not ask', async () => {
    const { status, stdout } = await pgbk('delete', oldest, older)
    expect(status).toBe(0)
    expect(stdout).toMatch(new RegExp(`^Deleted ${oldest} .*\nDeleted ${older} `))
    expect(ids()).toEqual([newest.record.id])
    expect((await pgbk('list')).stderr).toBe('')
  })

  it('says in JSON what it removed', async () => {
    const { stdout } = await pgbk('delete', oldest, '--json')
    expect(JSON.parse(stdout).deleted).toEqual([expect.objectContaining({ id: oldest, state: 'whole' })])
  })

  it.each(['latest', 'oldest', '20250101', '20250101T030000'])('does not take %s', async (wanted) => {
    const { status, stderr } = await pgbk('delete', wanted, '--yes')
    expect(status).toBe(2)
    expect(stderr).toContain('not a complete backup id')
    expect(ids()).toEqual(all())
  })

  it('removes nothing when one of the ids is wrong', async () => {
    expect((await pgbk('delete', oldest, '20240101T000000Z')).status).toBe(3)
    expect(ids()).toEqual(all())
  })

  it('removes the last whole one only with --last', async () => {
    await use(newest)
    expect((await pgbk('delete', newest.record.id)).status).toBe(0)
    const refused = await pgbk('delete', oldest, older)
    expect(refused.status).toBe(2)
    expect(refused.stderr).toContain('--last')
    expect(ids()).toEqual([oldest, older])
    expect((await pgbk('delete', oldest, older, '--last')).status).toBe(0)
    expect(ids()).toEqual([])
  })

  it('refuses while a server runs in the snapshot', async () => {
    const copy = await openSnapshot(newest.snapshot, anyMajor)
    const refused = await pgbk('delete', newest.record.id)
    const answer = await copy.sql('select count(*) from ledger', 'app')
    await copy.stop()
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain('in use by a server that is running')
    expect(answer).toBe('1000')
    expect((await pgbk('delete', newest.record.id)).status).toBe(0)
  })
})

describe('delete on a terminal', () => {
  it.each(['n\r', '\r', '\u0004', '\u0003'])('keeps everything unless it is told yes (%j)', async (keys) => {
    const { status, said } = await onTerminal(['delete', 'oldest'], keys)
    expect(status).not.toBe(0)
    expect(said()).toContain('Delete this backup')
    expect(said()).toContain(oldest)
    expect(ids()).toEqual(all())
  })

  it('removes what a prefix names when it is told yes', async () => {
    const { status, said } = await onTerminal(['delete', '20250101', 'latest'], 'y\r')
    expect(status).toBe(0)
    expect(said()).toContain('Delete these 2 backups')
    expect(ids()).toEqual([older])
  })

  it('works on one whose size is unknown', async () => {
    const { status } = await onTerminal(['delete', 'oldest'], 'y\r', 'rows 0 columns 0')
    expect(status).toBe(0)
    expect(ids()).toEqual([older, newest.record.id])
  })

  it('does not ask with --yes', async () => {
    const { status, said } = await onTerminal(['delete', 'oldest', '--yes'], '')
    expect(status).toBe(0)
    expect(said()).not.toContain('[y/N]')
    expect(ids()).toEqual([older, newest.record.id])
  })
})

describe('a delete that is killed', () => {
  beforeEach(async () => {
    const many = join(newest.snapshot, 'data/many')
    await run(['mkdir', many])
    await run(['sh', '-c', 'seq 1 60000 | xargs touch'], { cwd: many })
    const child = startPgbk(['delete', newest.record.id, '-C', newest.root])
    await until('the record is gone', () => !existsSync(join(newest.directory, 'backup.json')))
    child.kill('SIGKILL')
    await child
  })

  it('leaves a directory that is not listed, and says why', async () => {
    expect(existsSync(newest.directory)).toBe(true)
    const { stdout, stderr } = await pgbk('list')
    expect(stdout).not.toContain(newest.record.id)
    expect(stderr).toContain(`${newest.record.id} is not a whole backup: a delete that is running or was`)
    expect((await pgbk('show', newest.record.id)).status).toBe(3)
  })

  it('is finished by the next create', async () => {
    const { stderr, record } = await aBackupOf(server, { root: newest.root })
    expect(stderr).toContain(`removed ${newest.record.id}, the remains`)
    expect(readdirSync(dirname(newest.directory)).filter((name) => !name.startsWith('.'))).toEqual([
      oldest,
      older,
      record.id,
    ])
    expect(entriesOf(newest.root).filter((name) => name.endsWith('.partial'))).toEqual([])
  })
})
