import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'
import { anSshHost } from '../helpers/ssh.js'
import { idsIn } from '../helpers/traces.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

needs('program sshd', ...needed).describe('a directory behind ssh', () => {
  let backup: MadeBackup
  let env: Record<string, string>
  let there: string
  let store: string
  beforeAll(async () => {
    backup = await aBackupOf(await aServer({ major: anyMajor }), { args: ['--packed'] })
    const ssh = await anSshHost()
    there = aDirectory()
    env = ssh.env
    store = `${ssh.host}:${there}`
  })
  const pgbk = (...args: string[]) => runPgbk(args, { cwd: backup.root, env })
  const id = () => backup.record.id

  it('is a store: it takes a backup once, which answers from there', async () => {
    for (const was of [false, true]) {
      const { status, stdout, stderr } = await pgbk('upload', id(), '--to', store, '--json')
      expect({ status, stderr }).toMatchObject({ status: 0 })
      expect(JSON.parse(stdout).uploads).toMatchObject([{ already_there: was, error: null }])
    }
    expect(idsIn(there)).toEqual([id()])
    expect(await pgbk('verify', id(), '--from', store, '--read')).toMatchObject({ status: 0 })
    const words = ['--from', store, '--', 'psql', '-XAtc', 'select 1', 'postgres']
    expect((await localRun(backup.root, [id(), ...words], { env })).stdout).toBe('1')
  })

  it('keeps what is held, and is empty when the last one was removed', async () => {
    const remove = ['delete', id(), '--from', store, '--yes', '--last']
    expect(await pgbk('hold', id(), '--from', store)).toMatchObject({ status: 0 })
    expect(await pgbk(...remove)).toMatchObject({ status: 1, stderr: expect.stringContaining('is held') })
    expect(await pgbk('release', id(), '--from', store)).toMatchObject({ status: 0 })
    expect(await pgbk(...remove)).toMatchObject({ status: 0 })
    expect(readdirSync(there)).toEqual([])
    expect(idsIn(join(backup.root))).toEqual([id()])
  })
})
