import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import type { Settings } from '../../src/config/load.js'
import { parseConfig } from '../../src/config/schema.js'
import { silentProgress } from '../../src/progress.js'
import { restore } from '../../src/restore/restore.js'
import { aContext, asOrdinaryUser } from '../catalog/samples.js'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { eachUser } from '../helpers/needs.js'
import { program } from '../helpers/pgbk.js'
import { aFreePort } from '../helpers/places.js'
import { anyMajor, binOf, run } from '../helpers/programs.js'
import {
  archiveWal,
  ask,
  instancesIn,
  pgbkIn,
  type Restored,
  refusal,
  restored,
  writeSegments,
} from '../helpers/restore.js'
import { aServer } from '../helpers/server.js'
import { killServersIn, serversIn } from '../helpers/servers-in.js'
import { until } from '../helpers/traces.js'
import { asUser, ifRoot, isRoot, ordinaryUser } from '../helpers/users.js'

let backup: MadeBackup
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  backup = await aBackupOf(server)
  await writeSegments(server, 2)
  await archiveWal(server, backup)
  await server.stop()
})

eachUser('instances, for %s', (user) => {
  const options = { asRoot: user === 'root' }
  const prefix = options.asRoot ? 'r' : 'u'
  const instance = (...args: string[]) => pgbkIn(backup.root, ['instance', ...args], options)
  const stateOf = async (name: string) =>
    (await instancesIn(backup.root, options)).find((one) => one.name === name)?.state

  it('are listed, stopped, started, and deleted', async () => {
    const name = `${prefix}-life`
    const made = await restored(backup.root, ['--name', name], options)
    expect(await stateOf(name)).toBe('running')
    expect((await instance('list')).stdout).toMatch(
      new RegExp(`^${name} .* running +${made.port} +postgres$`, 'm'),
    )
    expect(await instance('stop', name)).toMatchObject({
      status: 0,
      stdout: `Stopped ${name}. Start it again:\n  pgbk instance start ${name} -C ${backup.root}`,
    })
    expect(await stateOf(name)).toBe('stopped')
    expect(serversIn(made.directory)).toEqual([])
    expect((await instance('stop', name)).stdout).toContain(`${name} was not running. Start`)
    expect((await instance('start', name)).stdout).toContain(
      `psql -h ${made.directory}/run -p ${made.port} -U focker postgres`,
    )
    expect(await ask(made, 'select max(n) from late')).toBe('3')
    expect((await instance('start', name)).stderr).toContain('is running already')
    expect(await refusal(instance('delete', name, '--yes', '--json'))).toMatchObject({
      status: 1,
      code: 'failed',
    })
    expect((await refusal(instance('delete', name, '--yes', '--json'))).hint).toContain(
      `pgbk instance stop ${name} -C ${backup.root}`,
    )
    await instance('stop', name)
    expect(await refusal(instance('delete', name, '--json'))).toMatchObject({ status: 2, code: 'usage' })
    expect(existsSync(made.directory)).toBe(true)
    expect(await instance('delete', name, '--yes')).toMatchObject({ status: 0 })
    expect(existsSync(made.directory)).toBe(false)
    expect(await refusal(instance('delete', name, '--yes', '--json'))).toMatchObject({
      status: 3,
      code: 'not-found',
    })
  })

  it('whose server was killed, as by a reboot, are stopped, and start again on the same port', async () => {
    const name = `${prefix}-killed`
    const made = await restored(backup.root, ['--name', name], options)
    await ask(made, 'create table kept as select 42 as n')
    await killServersIn(made.directory)
    expect(existsSync(`${made.socket_directory}/.s.PGSQL.${made.port}`)).toBe(true)
    expect(await stateOf(name)).toBe('stopped')
    expect(await instance('start', name)).toMatchObject({ status: 0 })
    expect(await ask(made, 'select n from kept')).toBe('42')
    await instance('stop', name)
  })

  it('are stopped when the pid of their server is now that of somebody else', async () => {
    const name = `${prefix}-stale`
    const made = await restored(backup.root, ['--name', name, '--no-start'], options)
    const others = isRoot ? process.pid : 1
    const text = `${others}\n${made.directory}/data\n1\n${made.port}\n/tmp\nlocalhost\n 1 2\nready   \n`
    await run(['sh', '-c', 'printf %s "$1" > "$0"', join(made.directory, 'data/postmaster.pid'), text])
    expect(await stateOf(name)).toMatch(/stopped|not recovered/)
    expect((await instance('stop', name)).stdout).toContain(`${name} was not running. Start`)
    expect(await instance('start', name)).toMatchObject({ status: 0 })
    expect(await ask(made, 'select max(n) from late')).toBe('3')
    expect(await instance('stop', name)).toMatchObject({ status: 0 })
  })
})

/** Of what they do, not of who has started pgbk. */
describe('instances', () => {
  const instance = (...args: string[]) => pgbkIn(backup.root, ['instance', ...args])

  it('run side by side, and do not see each other', async () => {
    const [one, two] = (await Promise.all(
      ['one', 'two'].map((name) => restored(backup.root, ['--name', name])),
    )) as [Restored, Restored]
    await ask(one, 'delete from late')
    expect(await ask(one, 'select count(*) from late')).toBe('0')
    expect(await ask(two, 'select count(*) from late')).toBe('3')
    for (const { name } of [one, two]) await instance('stop', name)
  })

  it('take another port, and keep it', async () => {
    const name = 'port'
    const made = await restored(backup.root, ['--name', name, '--no-start'])
    const port = await aFreePort()
    expect(await instance('start', name, '--port', String(port))).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`-p ${port} `),
    })
    expect(await ask({ ...made, port }, 'select max(n) from late')).toBe('3')
    const other = await refusal(instance('start', name, '--port', String(await aFreePort()), '--json'))
    expect(other).toMatchObject({ status: 2, code: 'usage' })
    await instance('stop', name)
    expect((await instance('start', name)).stdout).toContain(`-p ${port} `)
    await instance('stop', name)
  })
})

describe('an instance', () => {
  it('is started by the commands of its README, and by its crontab line', async () => {
    const made = await restored(backup.root, ['--name', 'by-hand', '--no-start'])
    const readme = readFileSync(join(made.directory, 'README'), 'utf8')
    const line = (pattern: RegExp) => pattern.exec(readme)?.[1] ?? ''
    const [file = '', ...args] = [...asUser(), 'sh', '-c', `exec sh -c '${line(/^ {2}@reboot (cd .*)$/m)}'`]
    const server = execa(file, args, { cwd: '/', reject: false })
    const psql = line(/^ {2}(psql .*)$/m)
    const env = { PATH: `${binOf(anyMajor)}:/usr/bin:/bin` }
    const answer = async () =>
      (
        await execa('sh', ['-c', `${psql} -XAtc 'select pg_is_in_recovery(), max(n) from late'`], {
          env,
          cwd: '/',
          reject: false,
        })
      ).stdout
    await until('it has recovered', async () => (await answer()) === 'f|3')
    await pgbkIn(backup.root, ['instance', 'stop', 'by-hand'])
    await server
    expect(readFileSync(made.log, 'utf8')).toContain('database system is shut down')
    expect(await pgbkIn(backup.root, ['instance', 'start', 'by-hand'])).toMatchObject({ status: 0 })
    expect(existsSync(join(made.directory, 'conf/recovery.conf'))).toBe(false)
    await pgbkIn(backup.root, ['instance', 'stop', 'by-hand'])
  })

  it('is asked for on a terminal before it is deleted', async () => {
    const made = await restored(backup.root, ['--name', 'asked', '--no-start'])
    const answered = (answer: string) => {
      const line = [process.execPath, program, 'instance', 'delete', 'asked', '-C', backup.root].join(' ')
      const [file = '', ...args] = [...asUser(), 'script', '-qec', line, '/dev/null']
      return execa(file, args, { cwd: '/', reject: false, input: `${answer}\n` })
    }
    expect((await answered('n')).stdout).toContain('Delete the instance asked with all its data for good?')
    expect(existsSync(made.directory)).toBe(true)
    expect((await answered('y')).exitCode).toBe(0)
    expect(existsSync(made.directory)).toBe(false)
  })

  it.each(['begun', 'ended'])(
    'gets another default name when a restore has %s under its own meanwhile',
    async (how) => {
      const settings = { ...parseConfig({}).value, root: backup.root } as Settings
      const said: string[] = []
      // Started by root, only the user is another one here, not the group.
      const user = () => ({ ...ordinaryUser, gid: process.getegid?.() ?? ordinaryUser.gid, home: '/' })
      const context = aContext({ user, progress: { ...silentProgress, say: (text) => void said.push(text) } })
      let other = ''
      const { instance } = await asOrdinaryUser(() =>
        restore(undefined, { start: false }, { settings, context }, ({ destination }) => {
          const { name } = destination.request as { name: string }
          other = join(backup.root, 'data/instances', how === 'begun' ? `.${name}.partial` : name)
          mkdirSync(other, { recursive: true })
        }),
      )
      expect(instance).toMatchObject({ name: 'postgres-restore-20261120T030001Z', state: 'not recovered' })
      expect(instance?.record.name).toBe(instance?.name)
      expect(said).toContainEqual(
        expect.stringMatching(/another pgbk .* gets the name postgres-restore-20261120T030001Z$/),
      )
      for (const directory of [other, instance?.layout.directory ?? ''])
        rmSync(directory, { recursive: true })
    },
  )

  it('whose deletion was killed is none, and its name is free again', async () => {
    const made = await restored(backup.root, ['--name', 'half', '--no-start'])
    renameSync(join(made.directory, 'instance.json'), join(made.directory, '.pgbk-restore.json'))
    const { stdout, stderr } = await pgbkIn(backup.root, ['instance', 'list'])
    expect(stdout).not.toMatch(/^half /m)
    expect(stderr).toContain('half is not an instance: its deletion has begun')
    expect((await restored(backup.root, ['--name', 'half', '--no-start'])).state).toBe('not recovered')
    await pgbkIn(backup.root, ['instance', 'delete', 'half', '--yes'])
  })

  it('that ends while it starts is an error with the end of its log', async () => {
    const made = await restored(backup.root, ['--name', 'broken', '--no-start'])
    await run(['sh', '-c', 'echo "no_such_setting = 1" >>"$0"', join(made.directory, 'conf/postgresql.conf')])
    const error = await refusal(pgbkIn(backup.root, ['instance', 'start', 'broken', '--json']))
    expect(error).toMatchObject({ status: 1, code: 'failed' })
    expect(error.hint).toContain('no_such_setting')
  })

  ifRoot('of another user is left alone by an ordinary one', async () => {
    const made = await restored(backup.root, ['--name', 'others'])
    const nobody = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups']
    const stopped = await execa(
      'sh',
      [
        '-c',
        `chmod o+x "$0" "$0/data" "$0/data/instances"; exec "$@"`,
        backup.root,
        ...nobody,
        process.execPath,
        program,
        'instance',
        'stop',
        'others',
        '-C',
        backup.root,
      ],
      { cwd: '/', reject: false },
    )
    expect(stopped.exitCode).not.toBe(0)
    expect(await ask(made, 'select 1')).toBe('1')
  })
})
