import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { asStranger } from '../helpers/inside.js'
import { aReadyRun, localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { serverRuns } from '../helpers/program-of-server.js'
import { anyMajor, attempt, binOf, run } from '../helpers/programs.js'
import { ask, restore, restored } from '../helpers/restore.js'
import { aServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'
import { ifRoot, ordinaryUser } from '../helpers/users.js'

let backup: MadeBackup
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  await server.sql('create table orders as select 42 as x')
  backup = await aBackupOf(server)
})

const psql = `${binOf(anyMajor)}/psql`

describe('a run', () => {
  it('has its socket in a directory of its own that nobody else can enter', async () => {
    const { sockets, port, stop } = await aReadyRun(backup.root)
    const { mode, uid } = lstatSync(sockets)
    expect({ mode: mode & 0o7777, uid }).toEqual({ mode: 0o700, uid: ordinaryUser.uid })
    expect(lstatSync(join(sockets, `.s.PGSQL.${port}`)).isSocket()).toBe(true)
    expect(await stop()).toBe(0)
    expect(lstatSync(sockets, { throwIfNoEntry: false })).toBeUndefined()
  })

  it('is known by a secret that no command line and no environment has', async () => {
    const { directory, stop } = await aReadyRun(backup.root)
    const file = join(directory, 'conf/postgresql.conf')
    const [, secret = ''] = /^pgbk\.secret = '(\w{48})'$/m.exec(readFileSync(file, 'utf8')) ?? []
    expect(secret).not.toBe('')
    expect(lstatSync(file).mode & 0o077).toBe(0)
    const { stdout } = await execa('sh', [
      '-c',
      'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"',
    ])
    expect(stdout).toContain(directory)
    expect(stdout).not.toContain(secret)
    await stop()
  })

  it('leads COMMAND to its socket by libpq, and to its port by its URL, where a wrong password is refused', async () => {
    const script = `echo "$PGHOST"; psql -XAtc 'select x from orders' postgres
      psql -XAtc 'select x + 1 from orders' "\${DATABASE_URL%/*}/postgres"
      PGPASSWORD=wrong psql -XAtc 'select 44' -h 127.0.0.1 postgres`
    const { stdout, stderr } = await localRun(backup.root, ['--', 'sh', '-c', script])
    expect(stdout).toMatch(/^\/tmp\/pgbk-\w{6}\n42\n43$/)
    expect(stderr).toMatch(/password authentication failed/)
  })

  it('that is detached is reached by its URL after pgbk has ended, and gone after instance stop', async () => {
    const { stdout } = await localRun(backup.root, ['--detach', '--json'])
    const { url, name } = JSON.parse(stdout).run
    expect((await run([psql, '-XAtc', 'select 6 * 7', url])).stdout).toBe('42')
    await runPgbk(['instance', 'stop', name, '-C', backup.root])
    expect((await attempt([psql, '-XAtc', 'select 1', url])).stderr).toMatch(/Connection refused/)
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  it('whose server has ended before COMMAND starts does not start it', async () => {
    const kill = `do $$ begin perform pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid(); end $$;
      ${serverRuns('kill -9 $(head -1 postmaster.pid)')}; select pg_sleep(9)`
    const { status, stdout, stderr } = await localRun(backup.root, [
      '--sql',
      await aSqlFile(kill),
      '--',
      'echo',
      'started',
    ])
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/connection|ended|cut the session off/)
  })
})

async function aSqlFile(text: string): Promise<string> {
  const path = join(backup.root, 'statements.sql')
  await run(['sh', '-c', 'cat >"$1"', 'sh', path], { input: text, stdin: undefined })
  return path
}

/** Takes a port of 127.0.0.1 and a socket in /tmp as soon as they can be had, and says 666 to whoever comes. */
const squatter = `
  const net = require('node:net'), [port] = process.argv.slice(1)
  const take = (where) => {
    const server = net.createServer((client) => {
      client.on('error', () => {})
      client.once('data', () => client.end(Buffer.from('R\\0\\0\\0\\x08\\0\\0\\0\\0Z\\0\\0\\0\\x05I', 'latin1')))
    })
    server.on('error', () => setTimeout(() => server.listen(where), 5))
    server.on('listening', () => console.log('taken', JSON.stringify(where)))
    server.listen(where)
  }
  take({ host: '127.0.0.1', port: Number(port) })`

describe('another user of the machine', () => {
  ifRoot('cannot use the socket of a run', async () => {
    const { sockets, port, stop } = await aReadyRun(backup.root)
    const [file = '', ...args] = [
      ...asStranger,
      psql,
      '-h',
      sockets,
      '-p',
      String(port),
      '-U',
      'focker',
      'postgres',
    ]
    const { stderr } = await execa(file, args, { reject: false, env: { HOME: '/' } })
    expect(stderr).toMatch(/Permission denied/)
    await stop()
  })

  ifRoot('cannot take the port of a run whose server has died, as long as pgbk has not noticed', async () => {
    const { child, port, pid, stop } = await aReadyRun(backup.root)
    const [file = '', ...args] = [...asStranger, process.execPath, '-e', squatter, String(port)]
    const attacker = execa(file, args, { reject: false, env: { HOME: '/' } })
    atEnd(() => void attacker.kill('SIGKILL'))
    let taken = ''
    attacker.stdout?.on('data', (chunk) => {
      taken += chunk
    })
    child.kill('SIGSTOP')
    process.kill(pid, 'SIGKILL')
    await until('the server is gone', async () => {
      const { stderr } = await attempt([
        psql,
        '-XAtc',
        'select 1',
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-U',
        'focker',
      ])
      return /closed the connection unexpectedly/.test(stderr)
    })
    expect(taken).toBe('')
    child.kill('SIGCONT')
    await stop()
  })

  ifRoot('cannot keep a run from ending by a process that looks like its own', async () => {
    const { directory, stop } = await aReadyRun(backup.root)
    const [file = '', ...args] = [...asStranger, 'sh', '-c', 'read -r _', `pgbk.run=${directory}`]
    const other = execa(file, args, { reject: false })
    atEnd(() => void other.kill('SIGKILL'))
    expect(await stop()).toBe(0)
    expect(other.exitCode).toBeNull()
    expect(remainsOf(backup.root).directories).toEqual([])
  })
})

describe('an instance', () => {
  it('has its socket in its own directory, and gets no rights and nothing of the environment', async () => {
    const env = { AWS_SECRET_ACCESS_KEY: 'open sesame', DATABASE_URL: 'postgresql://elsewhere' }
    const made = await restored(backup.root, [], { env })
    expect(made.socket_directory).toBe(join(made.directory, 'run'))
    expect(lstatSync(made.socket_directory).mode & 0o777).toBe(0o700)
    expect(lstatSync(join(made.socket_directory, `.s.PGSQL.${made.port}`)).isSocket()).toBe(true)
    expect(await ask(made, 'select x from orders')).toBe('42')
    const of = (file: string) => readFileSync(`/proc/${made.pid}/${file}`, 'utf8')
    expect(of('status')).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(of('environ')).not.toMatch(/AWS_|DATABASE_URL/)
    expect(readFileSync(join(made.directory, 'README'), 'utf8')).toContain(
      `psql -h ${made.socket_directory} `,
    )
  })

  it('whose path is too long for a socket starts all the same, and has it in /tmp', async () => {
    const root = join(aDirectory('pgbk-long-'), 'x'.repeat(90))
    await run([
      'sh',
      '-c',
      'chmod 755 "$1"; mkdir "$2"; cp -a "$3" "$2"',
      'sh',
      join(root, '..'),
      root,
      join(backup.root, 'data'),
    ])
    const { status, stdout } = await restore(root)
    expect(status).toBe(0)
    expect(stdout).toMatch(/psql -h \/tmp -p \d+ -U focker/)
  })
})
