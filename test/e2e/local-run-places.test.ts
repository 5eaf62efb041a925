import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { eachUserAndForm, type Form, forms, inForms } from '../helpers/forms.js'
import { aReadyRun, cache, failureOf, localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, attempt, run } from '../helpers/programs.js'
import { aRoot, aServer } from '../helpers/server.js'
import { aSmallDisk, makeReadOnly } from '../helpers/small-disk.js'
import { fingerprint } from '../helpers/tree.js'

const inCache = join(cache, 'pgbk/run')
const psql = (...statements: string[]) => ['--', 'psql', '-XAtq', ...statements.flatMap((one) => ['-c', one])]

let backups: Record<Form, MadeBackup>
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  await server.sql('create database app')
  await server.sql('create table t as select generate_series(1, 1000) as n', 'app')
  backups = await inForms(await aBackupOf(server))
})

const countRows = ['--dbname', 'app', ...psql('select count(*) from t')]

/** A root with the same backup in another place. */
async function thatHasTheBackup(form: Form, root: string | Promise<string>): Promise<string> {
  const place = join(await root, 'data/backup')
  await run(['mkdir', '-p', place])
  await run(['cp', '-a', backups[form].directory, place])
  return root
}

const { it: withDisk } = needs('root', 'mounts')
const { it: withFuse } = needs('user namespaces', '/dev/fuse')

eachUserAndForm('started by %s, a run of a %f backup', (user, form) => {
  const options = { asRoot: user === 'root' }

  withDisk('on a read-only file system keeps its working copy in the cache', async () => {
    const root = await thatHasTheBackup(form, aSmallDisk(150))
    makeReadOnly(root)
    const ready = await aReadyRun(root, [], options)
    expect(ready.directory.startsWith(`${inCache}/`)).toBe(true)
    expect(await ready.sql('select count(*) from t')).toBe('1000')
    expect(await ready.stop()).toBe(0)
    expect(remainsOf(root, inCache)).toEqual(nothing)
  })

  withDisk('on a read-only file system is swept by the next one there when it was killed', async () => {
    const root = await thatHasTheBackup(form, aSmallDisk(150))
    makeReadOnly(root)
    const { child } = await aReadyRun(root, [], options)
    child.kill('SIGKILL')
    await child
    expect(await localRun(root, countRows, options)).toMatchObject({ status: 0, stdout: '1000' })
    expect(remainsOf(root, inCache)).toEqual(nothing)
  })

  withDisk('on a read-only file system is no business of another root', async () => {
    const root = await thatHasTheBackup(form, aSmallDisk(150))
    makeReadOnly(root)
    const ready = await aReadyRun(root, [], options)
    const env = { HOME: cache, XDG_CACHE_HOME: cache }
    const listed = await runPgbk(['instance', 'list', '-C', backups[form].root, '--json'], {
      ...options,
      env,
    })
    expect(JSON.parse(listed.stdout).runs).toEqual([])
    expect(await ready.stop()).toBe(0)
  })

  it('keeps away from what has no marker', async () => {
    const root = await thatHasTheBackup(form, aRoot())
    const strange = ['mine', `${backups[form].record.id}-1`].map((name) =>
      join(root, 'data/run', name, 'snapshot'),
    )
    for (const directory of strange) {
      await run(['mkdir', '-p', directory])
      writeFileSync(join(directory, 'precious'), 'data')
    }
    const before = fingerprint(join(root, 'data/run'))
    expect(await localRun(root, countRows, options)).toMatchObject({ status: 0, stdout: '1000' })
    expect(fingerprint(join(root, 'data/run'))).toBe(before)
  })

  withDisk('on a full disk says so and leaves nothing behind', async () => {
    const root = await thatHasTheBackup(form, aSmallDisk(150))
    await fillUp(root)
    const failure = await failureOf(root, [], options)
    expect(failure).toMatchObject({ status: 1, code: 'disk-full' })
    expect(failure.message).toContain(join(root, 'data/run'))
    expect(remainsOf(root)).toEqual(nothing)
  })

  withDisk('is refused a full copy for which there is no room', async () => {
    const root = await thatHasTheBackup(form, aSmallDisk(form === 'plain' ? 100 : 60))
    const { status, message } = await failureOf(root, ['--working-copy', 'copy'], options)
    expect(status).toBe(1)
    expect(message).toMatch(/a copy needs [\d.]+ MB, and [\d.]+ MB are free in /)
    expect(remainsOf(root)).toEqual(nothing)
  })

  const fillings: [string, string][] = [
    ['a table', "create unlogged table more as select repeat('x', 1000) from generate_series(1, 300000)"],
    ['WAL', "select pg_logical_emit_message(false, '', repeat('x', 1000000)) from generate_series(1, 300)"],
  ]
  withDisk.each(fillings)(
    'that fills the disk up by %s is told of it and leaves nothing behind',
    async (_, fill) => {
      const root = await thatHasTheBackup(form, aSmallDisk(150))
      const { status, stderr } = await localRun(root, psql(fill), options)
      expect(status).toBeGreaterThan(0)
      expect(stderr).toMatch(/No space left on device|wrote only \d+ of 8192 bytes/)
      expect(remainsOf(root)).toEqual(nothing)
      expect(await localRun(root, countRows, options)).toMatchObject({ status: 0, stdout: '1000' })
    },
  )
})

describe.each(forms)('with a %s backup, an ordinary user', (form) => {
  it('who may not write to data/run gets the working copy in the cache', async () => {
    const root = await thatHasTheBackup(form, aRoot())
    mkdirSync(join(root, 'data/run'), { mode: 0o500 })
    expect(await localRun(root, countRows)).toMatchObject({ status: 0, stdout: '1000' })
    expect(remainsOf(root, inCache)).toEqual(nothing)
  })

  it('who may write neither there nor to the cache is told of both', async () => {
    const root = await thatHasTheBackup(form, aRoot())
    mkdirSync(join(root, 'data/run'), { mode: 0o500 })
    const env = { XDG_CACHE_HOME: join(root, 'data/run') }
    const { status, code, hint } = await failureOf(root, [], { env })
    expect({ status, code }).toEqual({ status: 1, code: 'root-not-writable' })
    expect(hint).toContain(`${join(root, 'data/run')}: `)
    expect(hint).toContain(join(root, 'data/run/pgbk'))
  })

  it('to whom the backup is closed is told so', async () => {
    const root = await thatHasTheBackup(form, aRoot())
    chmodSync(join(root, 'data/backup', backups[form].record.id), 0o000)
    const { status, message, hint } = await failureOf(root, [])
    expect(status).toBe(1)
    expect(message).toMatch(/cannot read .*permission denied/)
    expect(hint).toContain('as root')
  })
})

/** Makes a backup somebody else's, who lets everybody read it. */
async function aRootOf(owner: number): Promise<string> {
  const root = await thatHasTheBackup('plain', aRoot())
  await execa('chown', ['-R', `${owner}:${owner}`, root])
  await execa('chmod', ['-R', 'a+rX', join(root, 'data/backup')])
  chmodSync(root, 0o755)
  chmodSync(join(root, 'data'), 0o755)
  return root
}

const withOtherOwners = () => {
  it('is refused to an ordinary user who wants no thin copy, with what can be done', async () => {
    const { status, message, hint } = await failureOf(await aRootOf(4711), ['--working-copy', 'overlay'])
    expect(status).toBe(1)
    expect(message).toContain('belongs to another user (uid 4711)')
    expect(hint).toMatch(/as that user or as root/)
  })

  withFuse('is one of an ordinary user who may read it', async () => {
    const root = await aRootOf(4711)
    expect(await localRun(root, countRows)).toMatchObject({ status: 0, stdout: '1000' })
    expect(remainsOf(root, inCache)).toEqual(nothing)
  })

  it('is opened by root as its owner, who need not have a name', async () => {
    const root = await aRootOf(4711)
    await execa('chmod', [
      '-R',
      'go-rwx',
      join(root, 'data/backup', backups.plain.record.id, 'snapshot/data'),
    ])
    const ask = "create temp table ids (id int); copy ids from program 'id -u'"
    const { status, stdout } = await localRun(root, psql(ask, 'select id from ids'), { asRoot: true })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '4711' })
    expect(remainsOf(root)).toEqual(nothing)
  })

  it("is refused to root when it is root's own, as PostgreSQL refuses root", async () => {
    const args = ['--working-copy', 'overlay']
    const { status, message, hint } = await failureOf(await aRootOf(0), args, { asRoot: true })
    expect(status).toBe(1)
    expect(message).toContain('belongs to root, and PostgreSQL does not run as root')
    expect(hint).toContain('chown -R')
  })
}
// To whom the files in an image belong, its record says.
needs('root').describe('a plain backup of somebody else', withOtherOwners)

/** Another file takes all the room that is left. */
async function fillUp(disk: string): Promise<void> {
  await attempt(['dd', 'if=/dev/zero', `of=${disk}/filler`, 'bs=4k'])
}
