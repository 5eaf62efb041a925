import { chmodSync, readdirSync, statfsSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aServerOf, startSlowCreate, untilItCopies } from '../helpers/copying.js'
import { ifMounts } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import type { TestServer } from '../helpers/server.js'
import { aSmallDisk, makeReadOnly } from '../helpers/small-disk.js'
import { idsIn, noTraces, tracesOf, until } from '../helpers/traces.js'
import { ordinaryUser } from '../helpers/users.js'

describe('a root without room', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServerOf(60, { major: anyMajor })
  })
  const create = async (root: string) => {
    const ended = await runPgbk(['create', '-C', root, '--json'], { env: server.env })
    return { ...ended, error: JSON.parse(ended.stdout).error }
  }

  ifMounts('is refused before anything is written when it is too small', async () => {
    const root = aSmallDisk(80)
    const { status, error } = await create(root)
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'disk-full' })
    expect(error.message).toMatch(/needs about \d+ MB, and [\d.]+ MB are free in /)
    expect(error.hint).toContain('-C')
    expect(readdirSync(root)).toEqual([])
  })

  ifMounts('that fills up while the backup is copied ends the create and keeps nothing of it', async () => {
    const root = aSmallDisk(220)
    const child = startSlowCreate(server, root, ['--json'])
    await untilItCopies(server)
    await fillUp(root)
    const { exitCode, stdout } = await child
    expect({ exitCode, code: JSON.parse(String(stdout)).error.code }).toEqual({
      exitCode: 1,
      code: 'disk-full',
    })
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(idsIn(root)).toEqual([])
  })

  ifMounts('has room again when the partial of a killed create, which takes it, is swept', async () => {
    const root = aSmallDisk(180)
    const child = startSlowCreate(server, root, ['--max-rate', '20M'])
    await until('the partial takes room', () => freeMegabytes(root) < 130)
    child.kill('SIGKILL')
    await child
    const { status, error } = await create(root)
    expect({ status, error }).toEqual({ status: 0, error: undefined })
  })

  ifMounts('that is mounted read-only is refused', async () => {
    const root = aSmallDisk(220)
    makeReadOnly(root)
    const { status, error } = await create(root)
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'root-not-writable' })
    expect(error.message).toContain('the file system is read-only')
  })

  it('where the user may not write is refused, naming the user and the directory', async () => {
    const root = aDirectory()
    chmodSync(root, 0o500)
    const { status, error } = await create(root)
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'root-not-writable' })
    expect(error.message).toContain(`user ${ordinaryUser.name} cannot write to ${root}: permission denied`)
    expect(readdirSync(root)).toEqual([])
  })

  it('that the user may not even enter is refused', async () => {
    const parent = aDirectory()
    const root = `${parent}/inside`
    await run(['mkdir', root])
    chmodSync(parent, 0o000)
    const { status, error } = await create(root)
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'root-not-writable' })
    chmodSync(parent, 0o700)
    expect(readdirSync(root)).toEqual([])
  })

  it('that is not there, nor its parent, is refused with the command that makes it', async () => {
    const root = `${aDirectory()}/not/there`
    const { status, error } = await create(root)
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'root-not-writable' })
    expect(error.hint).toContain(`mkdir -p ${root}`)
  })
})

/** Another file takes all the room that is left. */
async function fillUp(disk: string): Promise<void> {
  await execa('dd', ['if=/dev/zero', `of=${disk}/filler`, 'bs=64k'], { reject: false })
}

function freeMegabytes(disk: string): number {
  const { bavail, bsize } = statfsSync(disk)
  return (bavail * bsize) / 2 ** 20
}
