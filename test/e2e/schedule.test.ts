import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect } from '@jest/globals'
import { execa } from 'execa'
import { crontabLine, entriesIn } from '../../src/schedule/entry.js'
import { shellWord } from '../../src/text/shell-word.js'
import { aBackupOf, aFile, aTwinOf } from '../helpers/backup.js'
import { seed } from '../helpers/chance.js'
import { crontab, keepCrontab, setCrontab, startCron } from '../helpers/cron.js'
import { needs } from '../helpers/needs.js'
import { oddLines } from '../helpers/odd-texts.js'
import { type PgbkOptions, runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, binOf } from '../helpers/programs.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { anSshTo } from '../helpers/ssh.js'
import { idsIn, until } from '../helpers/traces.js'
import { asUser, ordinaryUser } from '../helpers/users.js'

const { describe, it } = needs('program crontab')
const { it: withCron } = needs('root', 'mounts', 'program cron', 'faketime')

const hba = `
local all         all              trust
local replication all              trust
host  all         pw  127.0.0.1/32 scram-sha-256
host  replication pw  127.0.0.1/32 scram-sha-256
`
/** Of others: no UTF-8, variables, a % of their own, a line that looks a little like ours. */
const others =
  '# of others: \xff\xfe\nMAILTO=""\n\n7 7 * * 7 echo "50\\%" \n#0 3 * * * x # pgbk schedule /srv/a\n'

keepCrontab()

let server: TestServer
let root: string
beforeAll(async () => {
  server = await aServer({ major: anyMajor, hba })
  await server.sql(
    "set password_encryption = 'scram-sha-256'; create role pw login replication password 'right'",
  )
})
beforeEach(async () => {
  root = await aRoot("50% o'clock")
  setCrontab(others)
})

const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0
const schedule = (args: string[], options: PgbkOptions = {}) =>
  runPgbk(['schedule', '-C', root, ...args], { ...options, env: { ...server.env, ...options.env } })
const ownLine = () =>
  crontab()
    .split('\n')
    .find((line) => /# pgbk schedule \/(?!srv\/a)/.test(line)) ?? ''

/** What cron gives to sh, with nothing but cron's environment. */
async function runLine(line = ownLine()) {
  const command = line.replace(/^(\S+ ){5}/, '').replaceAll('\\%', '%')
  const home = await execa('sh', ['-c', `echo ~${ordinaryUser.name}`])
  const [file = '', ...args] = [...asUser(), '/bin/sh', '-c', command]
  const result = await execa(file, args, {
    cwd: '/',
    env: { HOME: home.stdout, LOGNAME: ordinaryUser.name, SHELL: '/bin/sh', PATH: '/usr/bin:/bin' },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  })
  return { status: result.exitCode, stdout: result.stdout, stderr: result.stderr }
}

describe('pgbk schedule', () => {
  it('writes one line that works without any environment, and says nothing', async () => {
    expect(await schedule(['--daily', '03:00'])).toMatchObject({ status: 0 })
    expect(ownLine()).toMatch(/^0 3 \* \* \* export PGHOST=/)
    expect(ownLine()).not.toMatch(/(?<!\\)%/)
    expect(await runLine()).toEqual({ status: 0, stdout: '', stderr: '' })
    const { stdout } = await runPgbk(['list', '--json', '-C', root])
    expect(JSON.parse(stdout).backups.map(({ kind }: { kind: string }) => kind)).toEqual(['scheduled'])
  })

  it('says one clear thing when the line fails', async () => {
    await schedule(['--daily', '03:00'])
    await server.stop()
    const failed = await runLine()
    await server.start()
    expect([failed.status, failed.stdout]).toEqual([5, ''])
    expect(failed.stderr).toMatch(/^pgbk: cannot connect to the server: /)
    expect(failed.stderr.match(/^pgbk:/gm)).toHaveLength(1)
  })

  it('prunes afterwards, unless it is told not to', async () => {
    const first = await aBackupOf(server, { root, args: ['--scheduled'] })
    await aTwinOf(first, '20260111T030000Z')
    await aTwinOf(first, '20260112T030000Z')
    const near = aDirectory()
    const stores = `stores: { near: { url: '${near}', retention: { daily: 1 } }, far: { url: /nowhere } }\n`
    const config = await aFile(join(root, '.pgbkrc.yaml'), `retention: { daily: 2 }\n${stores}`)
    await schedule(['--daily', '03:00', '--config', config, '--no-prune'])
    expect((await runLine()).status).toBe(0)
    expect(idsIn(root)).toHaveLength(4)
    await schedule(['--daily', '03:00', '--config', config])
    expect((await runLine()).status).toBe(0)
    expect(idsIn(root)).toHaveLength(2)
    expect(ownLine().match(/ prune (?:--from \w+ )?--yes --quiet/g)).toEqual([
      ' prune --yes --quiet',
      ' prune --from near --yes --quiet',
    ])
    mkdirSync(join(near, 'data/backup/20250101T000000Z'), { recursive: true })
    chmodSync(near, 0o000)
    const closed = await runLine()
    chmodSync(near, 0o777)
    expect(closed).toMatchObject({ status: 1, stderr: expect.stringContaining(`in ${near}`) })
  })

  it('warns of a store that only the environment here reaches, and takes along where S3 is', async () => {
    const far = `localhost:${aDirectory()}`
    const stores = { far: { url: far, upload: 'always' } }
    const config = await aFile(join(root, '.pgbkrc.json'), JSON.stringify({ stores }))
    const env = { ...anSshTo({}), AWS_PROFILE: 'backup', AWS_SECRET_ACCESS_KEY: 'x' }
    const { status, stderr } = await schedule(['--daily', '03:00', '--config', config], { env })
    expect(status).toBe(0)
    expect(stderr).toMatch(/under cron the store far is not reached, though here it is: cannot reach/)
    expect(ownLine()).toContain(' AWS_PROFILE=backup ')
    expect(ownLine()).not.toContain('AWS_SECRET')
  })

  it('does not let two run at once', async () => {
    await schedule(['--daily', '03:00'], { env: { PGBK_CREATE_MAX_RATE: '8M' } })
    const ends = await Promise.all([runLine(), runLine()])
    expect(ends.map(({ status }) => status).sort()).toEqual([0, 4])
    expect(ends.find(({ status }) => status === 4)?.stderr).toMatch(/^pgbk: another pgbk holds the lock/)
  })

  withCron('is called by the real cron, at its time', async () => {
    await schedule(['--daily', '03:00'])
    const cron = startCron('2026-11-22 02:59:45')
    await until('cron has made a backup', () => {
      cron.check()
      return idsIn(root).length > 0
    })
    await cron.end()
    expect(existsSync(join(root, 'data/backup', idsIn(root)[0] ?? '', 'backup.json'))).toBe(true)
    const { stdout } = await runPgbk(['doctor', '--json', '-C', root], { env: server.env })
    const found = JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === 'schedule')
    expect(found).toMatchObject({
      status: 'ok',
      text: expect.stringMatching(/^0 3 \* \* \* .*it ran last at/),
    })
  })
})

describe('a line of pgbk schedule', () => {
  withCron(`is for the real cron what it was before, whatever stands in it (seed ${seed})`, async () => {
    const texts = [...oddLines('cron', 30), 'a\\%b', '\\\\', '\\\\%', "\\'%"].filter(
      (text) => !text.includes('/'),
    )
    const directory = aDirectory()
    const lines = texts.map((text, index) => {
      const words = ['printf', '%s', text].map(shellWord).join(' ')
      return crontabLine('0 3 * * *', `${words} > ${directory}/${index}`, `/srv/${text}`)
    })
    setCrontab(`MAILTO=""\n${lines.join('\n')}\n`)
    expect(entriesIn(crontab()).map((entry) => entry.root)).toEqual(texts.map((text) => `/srv/${text}`))
    const cron = startCron('2026-11-22 02:59:45')
    await until('cron has run all lines', () => {
      cron.check()
      return texts.every((_, index) => sizeOf(join(directory, String(index))) > 0)
    })
    await cron.end()
    expect(texts.map((_, index) => readFileSync(join(directory, String(index)), 'utf8'))).toEqual(texts)
  })
})

describe('the crontab of pgbk schedule', () => {
  it('keeps the lines of others byte for byte, and one line a root', async () => {
    await schedule(['--daily', '03:00'])
    expect(crontab()).toBe(`${others}${ownLine()}\n`)
    const again = await schedule(['--daily', '03:00', '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({ changed: false, entry: { root, when: '0 3 * * *' } })
    expect(crontab()).toBe(`${others}${ownLine()}\n`)
    await schedule(['--weekly', 'sun', '04:05'])
    expect(crontab()).toBe(`${others}${ownLine()}\n`)
    expect(ownLine()).toMatch(/^5 4 \* \* 0 /)
    const listed = JSON.parse((await schedule(['--list', '--json'])).stdout)
    expect(listed.entries).toEqual([expect.objectContaining({ root, when: '5 4 * * 0' })])
    expect((await schedule(['--remove'])).status).toBe(0)
    expect(crontab()).toBe(others)
    expect(await schedule(['--remove'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('There was no line for'),
    })
  })

  it('is not written where crontab -l does not show it as it is: with a carriage return', async () => {
    setCrontab(`${others}0 5 * * * true\r\n`)
    const before = crontab()
    const { status, stderr } = await schedule(['--daily', '03:00'])
    expect({ status, after: crontab() }).toEqual({ status: 1, after: before })
    expect(stderr).toMatch(/line \d+ of the crontab ends with a carriage return[\s\S]*crontab -e/)
  })

  it('is made where there was none', async () => {
    setCrontab('')
    await schedule(['--daily', '03:00'])
    expect(crontab()).toBe(`${ownLine()}\n`)
  })

  it('is not touched by --print', async () => {
    const { status, stdout } = await schedule(['--daily', '03:00', '--print'], {
      env: { PATH: withoutCrontab() },
    })
    expect([status, crontab()]).toEqual([0, others])
    expect(stdout).toMatch(/^0 3 \* \* \* export .*# pgbk schedule /)
    const units = await schedule(['--weekly', 'sun 03:00', '--print', '--systemd', '--json'])
    expect(
      JSON.parse(units.stdout).units.map(({ name }: { name: string }) => name.replace(/.*\./, '')),
    ).toEqual(['service', 'timer', 'service'])
    expect(crontab()).toBe(others)
  })

  it('tells the room that the backups will take', async () => {
    const { stdout } = await schedule(['--daily', '03:00', '--json'])
    const { kept_at_most, size_bytes, room_bytes } = JSON.parse(stdout)
    expect([kept_at_most, size_bytes > 60_000_000, room_bytes > 0]).toEqual([11, true, true])
  })
})

describe('pgbk schedule refuses, and writes nothing:', () => {
  const refusal = async (args: string[], options: PgbkOptions = {}) => {
    const { status, stdout } = await schedule(['--json', ...args], options)
    expect(crontab()).toBe(others)
    return { status, ...JSON.parse(stdout).error }
  }

  it.each<[string, string[], Record<string, string>]>([
    ['in a URI', ['-d', 'postgresql://pw:right@127.0.0.1/postgres'], {}],
    ['in a conninfo', ['-d', 'host=127.0.0.1 user=pw password=right'], {}],
    ['in PGPASSWORD', [], { PGPASSWORD: 'right' }],
    ['in PGBK_CONNECTION', [], { PGBK_CONNECTION: 'postgresql://pw:right@127.0.0.1/postgres' }],
  ])('a password %s', async (_where, args, env) => {
    const { status, hint, message } = await refusal(['--daily', '03:00', ...args], { env })
    expect([status, hint]).toEqual([2, expect.stringContaining('~/.pgpass')])
    expect(message).not.toContain('right')
  })

  it('a password file that only this HOME has', async () => {
    await aFile(join(root, '.pgpass'), '*:*:*:pw:right\n')
    const env = { HOME: root, PGHOST: '127.0.0.1', PGUSER: 'pw' }
    const { status, hint } = await refusal(['--daily', '03:00'], { env })
    expect([status, hint]).toEqual([6, expect.stringMatching(/^- connection \(here it is well.*/)])
    const named = await schedule(['--daily', '03:00'], { env: { ...env, PGPASSFILE: join(root, '.pgpass') } })
    expect(named.status).toBe(0)
  })

  it('a configuration whose programs are not there', async () => {
    const file = await aFile(join(root, 'rc.yaml'), `bin_dir: ${binOf(anyMajor)}/none\n`)
    const { status, hint } = await refusal(['--daily', '03:00', '--config', file])
    expect([status, hint]).toEqual([6, expect.stringContaining('- client programs: ')])
  })

  it('a crontab whose PATH has none of what is needed', async () => {
    setCrontab('PATH=/nowhere\n')
    const { status, stdout } = await schedule(['--daily', '03:00', '--json'])
    expect([status, crontab()]).toEqual([6, 'PATH=/nowhere\n'])
    expect(JSON.parse(stdout).error.hint).toContain('lock program (here it is well')
  })

  it('a server that cannot be backed up', async () => {
    await server.sql('create role weak login')
    const { status, message, hint } = await refusal(['--daily', '03:00', '-U', 'weak'])
    expect([status, message]).toEqual([6, expect.stringContaining('under cron it would not work')])
    expect(hint).toContain('ALTER ROLE weak REPLICATION;')
  })

  it('a root that cannot be written', async () => {
    const closed = join(root, 'closed')
    mkdirSync(closed)
    chmodSync(closed, 0o500)
    expect(await refusal(['--daily', '03:00', '-C', closed])).toMatchObject({ status: 6 })
  })

  it.each([
    [[]],
    [['--daily', '25:00']],
    [['--weekly', '03:00']],
    [['--daily', '03:00', '--weekly', 'sun', '03:00']],
    [['--daily', '03:00', '--remove']],
    [['--list', '--print']],
    [['--daily', '03:00', '--systemd']],
  ])('%j', async (args) => expect(await refusal(args)).toMatchObject({ status: 2, code: 'usage' }))
})

/** A PATH without cron. */
function withoutCrontab(): string {
  const bin = aDirectory()
  for (const program of ['sh', 'env', 'setpriv']) symlinkSync(`/usr/bin/${program}`, join(bin, program))
  return bin
}
