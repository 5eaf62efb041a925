import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { copyOf, download, downloadOf } from '../helpers/download.js'
import { aKeyIn, anEncryptedRoot, type KeyFile } from '../helpers/encrypted-root.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, fill } from '../helpers/server.js'
import { anSshHost, heldFrom } from '../helpers/ssh.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

const wanted = ['program age', 'program mksquashfs', 'program squashfuse', 'program sshd'] as const
const { describe, it } = needs(...wanted)

let backup: MadeBackup
let keys: KeyFile[]
let wrong: KeyFile
let from: string
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  await fill(server)
  // An image of several ranges: some 8 MB of it cannot be compressed.
  const bytes = 'select sha256(n::text::bytea) as bytes from generate_series(1, 250000) as n'
  await server.sql(`create table noise as ${bytes}`, 'app')
  backup = await aBackupOf(server, { args: ['--packed', '--label', 'mine'] })
  const directory = aDirectory()
  keys = ['server', 'safe', 'partner'].map((name) => aKeyIn(directory, name))
  wrong = aKeyIn(directory, 'wrong')
  from = await anEncryptedRoot(
    backup,
    keys.map(({ recipient }) => recipient),
  )
})

const shortOf = ({ recipient }: KeyFile) => recipient.slice(0, 16)
const withKey = (index = 0) => ['--identity', keys[index]?.file ?? '']
const names = ['backup.json', 'README', 'snapshot.squashfs']

function checkCopy(root: string): void {
  const copy = copyOf(backup, root)
  const wal = readdirSync(join(backup.directory, 'wal')).filter((name) => !name.startsWith('.'))
  expect(readdirSync(copy).sort()).toEqual(['README', 'backup.json', 'snapshot.squashfs', 'wal'])
  for (const name of [...names, ...wal.map((one) => `wal/${one}`)])
    expect(readFileSync(join(copy, name)).equals(readFileSync(join(backup.directory, name)))).toBe(true)
}

describe('a root with a backup that was encrypted, by the age program', () => {
  it('is listed without a key, with its form and without its label', async () => {
    const { status, stdout } = await runPgbk(['list', '-C', from])
    expect(status).toBe(0)
    expect(stdout).toMatch(new RegExp(`^${backup.record.id} .* encrypted +whole`, 'm'))
    expect(stdout).not.toContain('mine')
    const { stdout: json } = await runPgbk(['list', '--from', from, '--json'])
    expect(JSON.parse(json).backups).toMatchObject([{ form: 'encrypted', format: 3, state: 'whole' }])
  })

  it('shows all of it to who has a key', async () => {
    const { status, stdout } = await runPgbk(['show', 'latest', '--from', from, ...withKey(2)])
    expect(status).toBe(0)
    expect(stdout).toContain('mine')
    expect(stdout).toContain(`packed, and encrypted for ${keys.slice(0, 2).map(shortOf).join(', ')} and `)
  })

  it.each([
    ['none', []],
    ['another one', ['wrong']],
  ])('names the keys that would do to who has %s', async (_what, given) => {
    const words = given.length > 0 ? ['--identity', wrong.file] : []
    for (const command of [
      ['show', 'latest', '--from', from],
      ['download', 'latest', '--from', from, '-C', await aRoot()],
    ]) {
      const { status, stderr } = await runPgbk([...command, ...words])
      expect(status).toBe(2)
      expect(stderr).toContain(`backup.json.age of backup ${backup.record.id} in ${from} is encrypted`)
      for (const key of keys) expect(stderr.replaceAll(/\s+/g, ' ')).toContain(shortOf(key))
    }
  })

  it.each([
    ['verify', 'latest'],
    ['show', 'latest'],
    ['local-run', 'latest', '--', 'true'],
    ['restore', 'latest'],
    ['unpack', 'latest'],
    ['pack', 'latest'],
  ])('lets nobody %s it where it lies, and says what to do', async (...command) => {
    const [name = '', ...rest] = command
    const { status, stderr } = await runPgbk([name, '-C', from, ...rest])
    expect({ status, stderr }).toMatchObject({ status: 2 })
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(`backup ${backup.record.id} is encrypted`)
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(`pgbk download ${backup.record.id} --from`)
  })
})

describe('the download of an encrypted backup', () => {
  it('is the packed backup that it was, and starts', async () => {
    const to = await aRoot()
    const { status, json } = await download(from, to, [], {
      env: { PGBK_IDENTITY_FILE: keys[1]?.file ?? '' },
    })
    expect({ status, verified_by: json.verified_by }).toEqual({ status: 0, verified_by: 'its SHA-256' })
    checkCopy(to)
    const answer = await localRun(to, [
      '--dbname',
      'app',
      '--',
      'psql',
      '-XAtqc',
      'select count(*) from ledger',
    ])
    expect({ status: answer.status, stdout: answer.stdout.trim() }).toEqual({ status: 0, stdout: '1000' })
    expect(await download(from, to, withKey())).toMatchObject({ status: 0, json: { received_bytes: 0 } })
  })

  it('over ssh that was killed in the middle of the image goes on there', async () => {
    const ssh = await anSshHost()
    const to = await aRoot()
    const { size } = statSync(join(backup.directory, 'snapshot.squashfs'))
    const range = 4 << 20
    const words = ['download', 'latest', '--from', `test:${from}`, '-C', to, ...withKey()]
    const child = startPgbk(words, { env: heldFrom(range, ssh.env) })
    const part = join(downloadOf(backup, to), 'snapshot.squashfs.pgbk-part')
    const here = () => lstatSync(part, { throwIfNoEntry: false })?.size ?? 0
    await until('one range of it is here', () => here() === range)
    child.kill('SIGKILL')
    await child
    const before = here()
    const { status, json } = await download(`test:${from}`, to, withKey(), { env: ssh.env })
    expect(status).toBe(0)
    expect([before, json.received_bytes < size - before + 40 * 2 ** 20]).toEqual([range, true])
    checkCopy(to)
  })

  it('into an archive is that of the packed backup', async () => {
    const to = await aRoot()
    const file = join(to, 'a.tar')
    const written = await runPgbk(['download', 'latest', '--from', from, '--archive', file, ...withKey()])
    expect(written).toMatchObject({ status: 0 })
    await run(['tar', '-xf', file, '-C', to])
    checkCopy(to)
  })
})

describe('a bit that is flipped', () => {
  let damaged: string
  beforeEach(async () => {
    damaged = await aRoot()
    await run(['cp', '-a', join(from, 'data'), damaged])
  })

  async function flip(name: string): Promise<void> {
    const file = await open(join(copyOf(backup, damaged), name), 'r+')
    const at = Math.floor((await file.stat()).size / 2)
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 8]), 0, 1, at)
    await file.close()
  }

  it.each(['backup.json.age', 'README.age', 'snapshot.squashfs.age', 'wal'])(
    'in %s ends a download by its name',
    async (name) => {
      const [segment = ''] = readdirSync(join(copyOf(backup, damaged), 'wal'))
      const file = name === 'wal' ? `wal/${segment}` : name
      await flip(file)
      const to = await aRoot()
      const { status, error } = await download(damaged, to, withKey())
      expect({ status, code: error.code }).toEqual({ status: 1, code: 'damaged' })
      expect(error.message).toContain(`${file} of backup ${backup.record.id} in ${damaged} is damaged: `)
      expect((await runPgbk(['list', '-C', to, '--json'])).stdout).toContain('"backups":[]')
    },
  )
})

/** The script of docs/operations.md, with these keys. */
function reencryption(oldKey: string, recipients: string[]): string {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const [, script = ''] = /```sh\n(# In 20261120T030000Z.*?)```/s.exec(page) ?? []
  return script
    .replace('old=~/pgbk-key.txt', `old=${oldKey}`)
    .replace("new='age1q8z... age1v5f...'", `new='${recipients.join(' ')}'`)
}

needs(...wanted, 'program jq').it('old backups are encrypted anew as operations.md says', async () => {
  const root = await aRoot()
  await run(['cp', '-a', join(from, 'data'), root])
  const script = reencryption(keys[0]?.file ?? '', [wrong.recipient, keys[1]?.recipient ?? ''])
  await run(['sh', '-c', `cd ${copyOf(backup, root)}\n${script}`])
  const anew = fingerprint(copyOf(backup, root))
  // With a key that does not fit, nothing changes.
  await expect(run(['sh', '-c', `cd ${copyOf(backup, root)}\n${script}`])).rejects.toThrow()
  expect(fingerprint(copyOf(backup, root))).toEqual(anew)
  const to = await aRoot()
  expect(await download(root, to, withKey())).toMatchObject({ status: 2 })
  expect(await download(root, to, ['--identity', wrong.file])).toMatchObject({ status: 0 })
  checkCopy(to)
  const verified = await runPgbk(['verify', '-C', root])
  expect(verified).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(`backup ${backup.record.id} is encrypted`),
  })
})
