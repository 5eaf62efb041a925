import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from '@jest/globals'
import { clearRecordOf, type EncryptedFacts } from '../../src/catalog/entries/clear-record.js'
import { parseRecord } from '../../src/catalog/record.js'
import { alice } from '../encryption/samples.js'
import { aFile, type MadeBackup } from '../helpers/backup.js'
import { encrypt } from '../helpers/encrypted-place.js'
import { aLedger, type Ledger } from '../helpers/ledger.js'
import { aReadyRun, cache, failureOf, localRun, startLocalRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { aPathWithout } from '../helpers/path-without.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { wordsOf } from '../helpers/process-list.js'
import { anyMajor, oldestAndNewest, run } from '../helpers/programs.js'
import { pidsIn } from '../helpers/servers-in.js'
import { anSshHost, anSshTo, withPrograms } from '../helpers/ssh.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

// One form: from elsewhere an image is run, nothing else.

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

/** A place that has one packed backup with WAL, and the rows of which it is known when they came. */
async function aPlace(major: number): Promise<Ledger> {
  const bulk = `create table bulk as select n, md5(n::text) || md5((-n)::text) as t from generate_series(1, 150000) as n`
  const ledger = await aLedger({ major, rows: 20, before: async ({ sql }) => void (await sql(bulk, 'app')) })
  await pack(ledger.backup)
  return ledger
}

async function pack({ root, record }: MadeBackup): Promise<void> {
  const { status, stderr } = await runPgbk(['pack', record.id, '-C', root])
  if (status !== 0) throw new Error(stderr)
}

const count = ['--', 'psql', '-XAtqc', 'select count(*) from ledger', 'app']
const blocks = join(cache, 'pgbk/blocks')
/** What runs of borrowed backups could leave behind. */
const left = () => ({
  roots: namesIn(join(cache, 'pgbk/from')),
  runs: namesIn(join(cache, 'pgbk/run')),
  servers: imageServers(),
})
const none = { roots: [], runs: [], servers: [] }
const namesIn = (directory: string) => {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
const imageServers = () => pidsIn(cache).filter((pid) => wordsOf(pid).join(' ').includes('--served'))
const environmentOf = (pid: number | string) => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}
const nothingLeft = () =>
  until('nothing of it is left', () => JSON.stringify(left()) === JSON.stringify(none))
const imageOf = ({ directory }: MadeBackup) => join(directory, 'snapshot.squashfs')

needs(...needed).describe.each(oldestAndNewest)('local-run --from a place with PostgreSQL %i', (major) => {
  let place: Ledger
  let here: string
  beforeAll(async () => {
    place = await aPlace(major)
  })
  beforeEach(async () => {
    here = aDirectory()
    await run(['rm', '-rf', blocks])
  })
  const from = (...args: string[]) => localRun(here, ['--from', place.root, ...args])

  it('reads a part of the image, none of it the second time, and leaves nothing but its cache', async () => {
    const before = await fingerprint(place.root)
    const first = await from(...count)
    expect(first).toMatchObject({ status: 0, stdout: '1' })
    expect(first.stderr).toMatch(/^What is read of the image \(\S+ MB in all\) is fetched from /m)
    const [, fetched, unit] = /^(\S+) ([kM])B were fetched from /m.exec(first.stderr) ?? []
    expect(Number(fetched) * (unit === 'k' ? 1e3 : 1e6)).toBeLessThan(
      statSync(imageOf(place.backup)).size / 2,
    )
    const second = await from(...count)
    expect(second.stderr).toMatch(/^0 bytes were fetched from /m)
    expect(await fingerprint(place.root)).toEqual(before)
    expect(readdirSync(here)).toEqual([])
    expect(left()).toEqual(none)
  })

  it('replays the WAL of the place, up to a moment or its end', async () => {
    const entry = place.entries[9]
    expect((await from('--to-latest', ...count)).stdout).toBe('21')
    expect((await from('--to-time', entry?.time ?? '', ...count)).stdout).toBe(String(entry?.n))
    expect(left()).toEqual(none)
  })

  it('goes on detached, is listed with what was fetched, and leaves nothing when it is stopped', async () => {
    const { stdout, stderr } = await from('--detach', '--json', '--to-latest')
    const detached = JSON.parse(stdout).run
    if (detached === undefined) throw new Error(stderr)
    expect(detached).toMatchObject({ from: place.root, detached: true, fetched_bytes: expect.any(Number) })
    const instance = (...args: string[]) =>
      runPgbk(['instance', ...args, '-C', here], { env: { HOME: cache, XDG_CACHE_HOME: cache } })
    const [listed] = JSON.parse((await instance('list', '--json')).stdout).runs
    expect(listed).toMatchObject({ name: detached.name, from: place.root })
    expect(listed.fetched_bytes).toBeGreaterThan(100_000)
    expect((await instance('list')).stdout).toMatch(/FETCHED/)
    expect((await instance('stop', detached.name)).status).toBe(0)
    await nothingLeft()
  })
})

needs(...needed).describe('local-run --from a place', () => {
  let place: Ledger
  let here: string
  beforeAll(async () => {
    place = await aPlace(anyMajor)
  })
  beforeEach(async () => {
    here = aDirectory()
    await run(['rm', '-rf', blocks])
  })
  const from = (...args: string[]) => localRun(here, ['--from', place.root, ...args])

  needs('program sshd').it('over ssh', async () => {
    const { host, env } = await anSshHost()
    const { status, stdout, stderr } = await localRun(here, ['--from', `${host}:${place.root}`, ...count], {
      env,
    })
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: '1' })
    expect(stderr).toMatch(/^\S+ MB were fetched from test:/m)
    expect(left()).toEqual(none)
  })

  it('over ssh leaves nothing where the target cannot be reached, and the image is being opened', async () => {
    const asked = join(aDirectory(), 'asked')
    writeFileSync(asked, '')
    chmodSync(asked, 0o666)
    const { PATH = '' } = anSshTo({})
    const holding = `#!/bin/sh
case "$*" in *ControlPath=*) echo "$*" >>'${asked}'; exec sleep 1000 ;; esac
exec ${PATH.split(':')[0]}/ssh "$@"
`
    const env = withPrograms({ ssh: holding })
    let sockets: (string | undefined)[] = []
    // Which comes first is chance.
    while (sockets.length === 0) {
      const failure = await failureOf(here, ['--from', `host:${place.root}`, '--to-lsn', 'FFFFFF/0'], { env })
      expect(failure.message).toMatch(/^backup \S+ cannot be taken to the LSN FFFFFF\/0$/)
      sockets = [...readFileSync(asked, 'utf8').matchAll(/ControlPath=(\S+)\/ssh/g)].map(([, path]) => path)
    }
    expect(sockets.filter((path) => existsSync(path ?? ''))).toEqual([])
    expect(left()).toEqual(none)
  })

  needs('root').it('started by root, who works as the owner of the place', async () => {
    const { status, stdout, stderr } = await localRun(here, ['--from', place.root, ...count], {
      asRoot: true,
    })
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: '1' })
  })

  it('that is encrypted, with the identity, and says what it takes without', async () => {
    const encrypted = await anEncryptedCopyOf(place.backup)
    const failure = await failureOf(here, ['--from', encrypted])
    expect(failure.hint + failure.message).toContain(alice.recipient.slice(0, 16))
    const key = await aFile(join(here, 'key.txt'), `${alice.secret}\n`)
    const words = ['--from', encrypted, '--identity', key, '--to-latest', ...count]
    const { status, stdout, stderr } = await localRun(here, words)
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: '21' })
    const one = await aReadyRun(here, words.slice(0, 4))
    expect(imageServers()).toHaveLength(1)
    const shown = (pid: string) => environmentOf(pid) + wordsOf(pid).join(' ')
    expect(pidsIn(cache).filter((pid) => shown(pid).includes(alice.secret))).toEqual([])
    expect(await one.stop()).toBe(0)
    expect(left()).toEqual(none)
  })

  it('brings all of it here first with --download', async () => {
    const { status, stdout, stderr } = await from('--download', ...count)
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1' })
    expect(stderr).toMatch(/^\S+ MB were fetched from /m)
    expect(namesIn(blocks)).toEqual([])
    expect(left()).toEqual(none)
  })

  it('says where it cannot be had, and what to do then, which works', async () => {
    const env = { PATH: aPathWithout('squashfuse', 'squashfuse_ll') }
    const failure = await failureOf(here, ['--from', place.root], { env })
    expect(failure).toMatchObject({
      code: 'failed',
      message: 'an image elsewhere cannot be read here: no squashfuse',
    })
    expect(failure.hint).toContain('--download')
    const { status, stdout, stderr } = await localRun(here, ['--from', place.root, '--download', ...count], {
      env,
    })
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: '1' })
    expect(stderr).toContain('It is unpacked')
    expect(left()).toEqual(none)
  })

  it('says what to do with a backup that is plain', async () => {
    const { backup } = await aLedger({ major: anyMajor, rows: 1 })
    const failure = await failureOf(here, ['--from', backup.root])
    expect(failure).toMatchObject({ status: 1, code: 'failed' })
    expect(failure.message).toMatch(/ is plain: only packed ones are read from elsewhere$/)
    expect(failure.hint).toContain(`pgbk download ${backup.record.id} --from ${backup.root}`)
    expect(left()).toEqual(none)
  })

  it('says that the place is away when that goes in the middle, and ends clean', async () => {
    const one = await aReadyRun(here, ['--from', place.root])
    renameSync(place.root, `${place.root}.away`)
    try {
      await expect(one.sql('select count(t) from bulk')).rejects.toThrow(/could not read/)
    } finally {
      renameSync(`${place.root}.away`, place.root)
    }
    expect(await one.stop()).toBe(0)
    expect(String((await one.child).stderr)).toMatch(/not all could be read: /)
    expect(left()).toEqual(none)
  })

  it.each(['the process that fetches', 'pgbk'])('leaves nothing when %s is killed', async (who) => {
    const one = await aReadyRun(here, ['--from', place.root])
    const [server] = imageServers()
    expect(server).toBeDefined()
    process.kill(who === 'pgbk' ? (one.child.pid as number) : Number(server), 'SIGKILL')
    if (who !== 'pgbk') one.child.kill('SIGINT')
    await one.child
    await nothingLeft()
  })

  it('detached, is stopped and leaves nothing when the process that fetches was killed', async () => {
    const { stdout } = await localRun(here, ['--from', place.root, '--detach', '--json'])
    const { name } = JSON.parse(stdout).run
    process.kill(Number(imageServers()[0]), 'SIGKILL')
    await until('it has ended', () => imageServers().length === 0)
    const instance = (...args: string[]) =>
      runPgbk(['instance', ...args, '-C', here], { env: { HOME: cache, XDG_CACHE_HOME: cache } })
    expect((await instance('list')).status).toBe(0)
    expect((await instance('stop', name)).status).toBe(0)
    await nothingLeft()
  })

  it('ends when the process that fetches gets a SIGTERM', async () => {
    const one = await aReadyRun(here, ['--from', place.root])
    process.kill(Number(imageServers()[0]), 'SIGTERM')
    await until('it has ended', () => imageServers().length === 0)
    one.child.kill('SIGINT')
    await one.child
    await nothingLeft()
  })

  it('leaves nothing where it cannot be mounted', async () => {
    const env = withPrograms({
      mount: '#!/bin/sh\ncase "$*" in *size=1m*) exit 1 ;; esac\nexec /usr/bin/mount "$@"\n',
    })
    const failure = await failureOf(here, ['--from', place.root], { env })
    expect(failure.message).toContain('no file system in memory')
    await nothingLeft()
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'leaves nothing at %s while it begins',
    async (signal) => {
      for (const waitMs of [100, 400, 900]) {
        const child = startLocalRun(here, ['--from', place.root])
        await new Promise((wake) => setTimeout(wake, waitMs))
        child.kill(signal)
        await child
        await nothingLeft()
      }
    },
  )
})

/** A root that has the same backup as a store would have it, encrypted for Alice. */
async function anEncryptedCopyOf({ directory, record }: MadeBackup): Promise<string> {
  const root = aDirectory()
  const at = join(root, 'data/backup', record.id)
  await run(['mkdir', '-p', join(at, 'wal')])
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const files: EncryptedFacts['files'] = {}
  for (const name of names.filter((one) => statSync(join(directory, one)).isFile())) {
    const bytes = await encrypt(readFileSync(join(directory, name)), [alice.recipient])
    files[`${name}.age`] = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
    writeFileSync(await aFile(join(at, `${name}.age`), ''), bytes)
  }
  const full = parseRecord(readFileSync(join(directory, 'backup.json'), 'utf8'))
  const { bytes = 0, snapshot_bytes = 0 } = full.packed ?? {}
  const facts = { recipients: [alice.recipient], image_bytes: bytes, snapshot_bytes, files }
  await aFile(join(at, 'README'), 'It is encrypted.')
  await aFile(join(at, 'backup.json'), JSON.stringify(clearRecordOf(full, facts)))
  return root
}
