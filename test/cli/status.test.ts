import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import type { RootLayout } from '../../src/catalog/layout.js'
import { writeProof } from '../../src/catalog/proof.js'
import { aBackup, anEmptyRoot, aStandby } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { pgbk } from './world.js'

const id = '20261120T030000Z'
let root: RootLayout
beforeEach(() => {
  root = anEmptyRoot()
  aBackup(root, id)
})

const status = (...args: string[]) => pgbk(['status', '-C', root.root, ...args])

async function aProof(ok: boolean): Promise<void> {
  const figures = { faults: [], postgres_version: '15.18', ready_ms: 900, replay_ms: null }
  await writeProof({ proof: join(root.backup(id), 'proof.json') } as Parameters<typeof writeProof>[0], {
    format: 1,
    backup: id,
    finished_at: '2026-11-20T03:05:00.000Z',
    ok,
    ...figures,
  })
}

function aFailedCreate(message: string, finished_at = '2026-11-20T03:10:00.000Z'): void {
  const last = { format: 1, ok: false, scheduled: true, started_at: finished_at, finished_at, backup: null }
  writeFileSync(root.lastCreate, JSON.stringify({ ...last, error: { code: 'disk-full', message } }))
}

describe('a failure', () => {
  it.each([
    ['status', '--nagios', '--config', '/no/such/file'],
    ['status', '--nagios', '--max-age', 'banana'],
    ['status', '--max-age', 'banana', '--nagios'],
    ['status', '--nagios', '--frobnicate'],
    ['-q', 'status', '--frobnicate', '--nagios'],
  ])('is told to a monitor as unknown: %j', async (...argv) => {
    const { status: exit, stdout, stderr } = await pgbk([...argv])
    expect([exit, stdout, stderr]).toEqual([3, expect.stringMatching(/UNKNOWN/), ''])
  })

  it.each([
    ['hold', 'status', '--reason', '--nagios'],
    ['show', 'status', '--config', '--nagios'],
    ['list', '--', 'status', '--nagios'],
    ['create', '--label', 'status', '--nagios'],
    ['status', '--output', '--nagios'],
  ])('is not told to a monitor when nobody has asked: %j', async (...argv) => {
    const { status: exit, stdout, stderr } = await pgbk([...argv])
    expect([exit, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^pgbk: /)
  })
})

describe('pgbk status', () => {
  it('says in one line that all is well', async () => {
    await aProof(true)
    const { status: exit, stdout, stderr } = await status()
    expect(stdout).toMatch(
      new RegExp(
        `^ok: ${id}, 14 minutes old, 38\\.1 MB in 12 s; proven 10 minutes ago, ready in 0\\.9 s; .* free in .*\\n$`,
      ),
    )
    expect([exit, stderr]).toEqual([0, ''])
  })

  it('counts the age of the data where a standby was behind', async () => {
    aBackup(root, '20261120T031000Z', { copied_at: '2026-11-17T03:00:00.123456Z', standby: aStandby })
    const { status: exit, stdout } = await status()
    expect(exit).toBe(6)
    expect(stdout).toMatch(/older than 26 h 0 min; 20261120T031000Z, data 3 days old,/)
    expect(JSON.parse((await status('--json')).stdout).age_seconds).toBeGreaterThan(3 * 86_400)
  })

  it('ends with 6 when the newest backup is too old, and says so before the figures', async () => {
    const { status: exit, stdout } = await status('--max-age', '10m')
    expect(exit).toBe(6)
    expect(stdout).toMatch(/^failed: the newest backup is older than 10 min 0 s; 20261120T030000Z, /)
  })

  it('ends with 6 when the newest check of the newest backup failed', async () => {
    await aProof(false)
    expect(await status()).toMatchObject({ status: 6 })
  })

  it('ends with 6 without any proof where one is asked for', async () => {
    expect(await status('--max-proof-age', '2d')).toMatchObject({ status: 6 })
    await aProof(true)
    expect(await status('--max-proof-age', '2d')).toMatchObject({ status: 0 })
    expect(await status('--max-proof-age', '5m')).toMatchObject({ status: 6 })
  })

  it('ends with 6 when the window ends too long ago', async () => {
    expect(await status('--max-lag', '20m')).toMatchObject({ status: 0 })
    expect(await status('--max-lag', '10m')).toMatchObject({ status: 6 })
  })

  it('warns of a create that failed since, and of none that failed before', async () => {
    aFailedCreate('no room')
    const after = await status()
    expect(after.status).toBe(0)
    expect(after.stdout).toMatch(/^warning: the last create failed: no room; /)
    aFailedCreate('no room', '2026-11-19T03:00:00.000Z')
    expect((await status()).stdout).toMatch(/^ok: /)
  })

  it('has no line break and no control character of a message in its line', async () => {
    aFailedCreate('a\nb\u0007|c')
    for (const args of [[], ['--nagios']]) {
      const { stdout } = await status(...args)
      expect(stdout).toMatch(/^\P{Cc}*\n$/u)
    }
    expect((await status('--nagios')).stdout.split('|')).toHaveLength(2)
  })

  it('is one JSON document', async () => {
    await aProof(true)
    const { stdout } = await status('--json', '--max-lag', '1h')
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      problems: [],
      root: root.root,
      backups: 1,
      newest: id,
      age_seconds: 888,
      duration_seconds: 12,
      size_bytes: 40_000_000,
      check: 'proven',
      proof_age_seconds: 600,
      receiver: 'none',
      retained_wal_bytes: null,
      last_create: null,
      limits: { max_age_seconds: 93_600, max_proof_age_seconds: null, max_lag_seconds: 3600 },
    })
  })

  it('counts a backup in which a server was started for nothing', async () => {
    execaSync('mv', [join(root.backup(id), 'snapshot/data/backup_label'), join(root.root, 'away')])
    const { status: exit, stdout } = await status()
    expect([exit, stdout.split(';')[0]]).toEqual([6, 'failed: there is no whole backup'])
  })

  it.each([
    [['--max-age', 'soon']],
    [['--max-age', '0h']],
    [['--max-lag', '10']],
    [['--prometheus', '--json']],
    [['--output', '/tmp/x.prom']],
    [['--', 'true']],
  ])('refuses %j', async (args) => expect(await status(...args)).toMatchObject({ status: 2 }))
})

describe('pgbk status --nagios', () => {
  it.each([[['--prometheus']], [['--json']], [['--max-age', 'soon']]])(
    'with %j cannot tell, and says so as a plugin does',
    async (args) => {
      const ended = await pgbk(['status', '--nagios', ...args])
      expect(ended).toMatchObject({ status: 3, stdout: expect.stringMatching(/^PGBK UNKNOWN - .+\n$/) })
    },
  )

  const says = async (...args: string[]) => {
    const { status: exit, stdout, stderr } = await pgbk(['status', '--nagios', ...args])
    expect(stderr).toBe('')
    return [exit, stdout.split(' ')[1]]
  }

  it('says OK and ends with 0', async () => expect(await says('-C', root.root)).toEqual([0, 'OK']))

  it('says WARNING and ends with 1', async () => {
    aFailedCreate('no room')
    expect(await says('-C', root.root)).toEqual([1, 'WARNING'])
  })

  it('says CRITICAL and ends with 2', async () =>
    expect(await says('-C', root.root, '--max-age', '1m')).toEqual([2, 'CRITICAL']))

  it('says UNKNOWN and ends with 3 where nothing can be told', async () =>
    expect(await says('-C', aRootThatCannotBeRead())).toEqual([3, 'UNKNOWN']))

  it('adds performance data with its limits', async () => {
    const { stdout } = await status('--nagios', '--max-lag', '1h')
    const [, data = ''] = stdout.trimEnd().split(' | ')
    for (const one of data.split(' ')) expect(one).toMatch(/^[a-z_]+=\d+(s|B)?;\d*;\d*;0$/)
    expect(data).toMatch(/^age=888s;;93600;0 size=40000000B;;;0 duration=12s;;;0 lag=888s;;3600;0 free=\d+B/)
  })
})

/** Its data/backup is no directory, which not even root can list. */
function aRootThatCannotBeRead(): string {
  const place = aDirectory()
  mkdirSync(join(place, 'data'))
  writeFileSync(join(place, 'data/backup'), '')
  return place
}

needs('program promtool').describe('pgbk status --prometheus', () => {
  const check = (text: string) => execaSync('promtool', ['check', 'metrics'], { input: text, reject: false })
  const figure = (text: string, name: string) =>
    new RegExp(`^pgbk_${name}\\{root="[^\\n]*"\\} (.*)$`, 'm').exec(text)?.[1]

  it("prints what Prometheus' own parser and linter accept", async () => {
    await aProof(true)
    aFailedCreate('no room')
    const { status: exit, stdout } = await status('--prometheus', '--max-age', '1m')
    expect(check(stdout)).toMatchObject({ exitCode: 0, stderr: '', stdout: '' })
    expect(exit).toBe(0)
    expect(
      ['ok', 'backups', 'backup_age_seconds', 'backup_size_bytes', 'last_create_success'].map((name) =>
        figure(stdout, name),
      ),
    ).toEqual(['0', '1', '887.655', '40000000', '0'])
    expect(figure(stdout, 'backup_timestamp_seconds')).toBe(
      String(Date.parse('2026-11-20T03:00:12.345Z') / 1000),
    )
    expect(figure(stdout, 'receiver_up')).toBeUndefined()
  })

  it('escapes the root, whatever it is called', async () => {
    const odd = mkdtempSync(join(aDirectory(), 'a"b\\c\nd'))
    const { stdout } = await pgbk(['status', '--prometheus', '-C', odd])
    expect(check(stdout)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(stdout).toContain('a\\"b\\\\c\\nd')
  })

  it('that the parser is asked in earnest shows a broken text', () =>
    expect(check('pgbk_ok{root="a} 1\n')).not.toMatchObject({ exitCode: 0 }))

  it('puts them into a file that the collector can read, in one step', async () => {
    const directory = aDirectory()
    const file = join(directory, 'pgbk.prom')
    writeFileSync(file, 'old')
    const before = statSync(file).ino
    const { status: exit, stdout } = await status('--prometheus', '--output', file)
    expect([exit, stdout]).toEqual([0, ''])
    expect(check(readFileSync(file, 'utf8'))).toMatchObject({ exitCode: 0 })
    expect(statSync(file).mode & 0o777).toBe(0o644)
    expect(statSync(file).ino).not.toBe(before)
    expect(readdirSync(directory)).toEqual(['pgbk.prom'])
  })

  it('leaves the file before as it was where it cannot be written', async () => {
    const { status: exit, stderr } = await status('--prometheus', '--output', '/no/such/place/pgbk.prom')
    expect([exit, stderr.includes('cannot write /no/such/place/pgbk.prom')]).toEqual([1, true])
  })
})
