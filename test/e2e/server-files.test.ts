import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, entriesBelow, type MadeBackup } from '../helpers/backup.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, binOf, oldestAndNewest, run } from '../helpers/programs.js'
import { ask, refusal, restore, restored } from '../helpers/restore.js'
import { aServer, type TestServer } from '../helpers/server.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

/** Files as a server's administrator has them; latin1, for not all of them are UTF-8. */
function write(place: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(place, name)), { recursive: true })
    writeFileSync(join(place, name), text, 'latin1')
  }
}

/** A server as Debian has it: its configuration in several places, none of which is its data directory. */
async function anOldServer(major: number): Promise<{ server: TestServer; etc: string }> {
  const server = await aServer({ major })
  await server.sql('create role alice login; create role bob login; create role carol login')
  await server.stop()
  const etc = join(server.directory, 'etc')
  await run(['mkdir', etc])
  await run([
    'sh',
    '-c',
    `mv "$1"/postgresql.conf "$1"/pg_ident.conf "$2"; rm "$1"/pg_hba.conf`,
    'sh',
    server.data,
    etc,
  ])
  appendFileSync(
    join(etc, 'postgresql.conf'),
    [
      `data_directory = '${server.data}'`,
      `hba_file = '${etc}/auth/who may.conf'`,
      `ident_file = '${etc}/pg_ident.conf'`,
      `external_pid_file = '${etc}/main.pid'`,
      `include_if_exists '${etc}/site.conf'\r`,
      `INCLUDE = 'my conf/it''s.conf'   # spaces and quotes`,
      "include_if_exists 'never.conf'",
      "include_dir 'empty.d'",
      '',
    ].join('\n'),
  )
  const local = (who: string) => `local all ${who} trust`
  write(etc, {
    'site.conf': "include_dir 'conf.d'\r\n",
    'conf.d/10-memory.conf': "# K\xe4se\nwork_mem = '7MB'\ninclude_dir '../conf.e'\n",
    'conf.d/20-more.conf': "include_if_exists '../conf.e/a.conf'\n",
    'conf.d/.hidden.conf': 'no such thing\n',
    'conf.d/README': 'no such thing\n',
    'conf.e/a.conf': "maintenance_work_mem = '7MB'\n",
    "my conf/it's.conf": "temp_buffers = '7MB'\nexternal_pid_file = '/run/other.pid'\n",
    'empty.d/README': 'nothing\n',
    'auto-too.conf': "vacuum_cost_delay = '7ms'\n",
    'auth/who may.conf': [
      '# K\xe4se\r',
      local('focker'),
      `${local('@"the admins"')}\r`,
      `${local(`@${etc}/pg_others`)} # @nobody`,
      `local replication focker,"@nobody" trust`,
      ...(major >= 16 ? [`include_dir ${etc}/hba.d`, 'include_if_exists "not there.conf"'] : []),
      'host all all 127.0.0.1/32 trust',
      '',
    ].join('\n'),
    'auth/the admins': 'alice\n# comment\n@"../more admins"\n',
    'more admins': 'nobody,\nnothing\n',
    pg_others: 'bob\n',
    'hba.d/1.conf': `${local('@carols')}\n`,
    'hba.d/carols': 'carol\n',
    ...(major >= 16 ? { 'maps.conf': 'm root focker\n' } : {}),
  })
  if (major >= 16) appendFileSync(join(etc, 'pg_ident.conf'), 'include maps.conf\n')
  appendFileSync(
    join(server.data, 'postgresql.auto.conf'),
    `include '${etc}/auto-too.conf'\nexternal_pid_file = '${etc}/auto.pid'\nident_file = '${etc}/pg_ident.conf'\n`,
  )
  if (isRoot) execaSync('chown', ['-R', String(ordinaryUser.uid), etc])
  server.data = etc
  return { server, etc }
}

describe.each(oldestAndNewest)('the configuration of a server of PostgreSQL %i', (major) => {
  let server: TestServer
  let etc: string
  let backup: MadeBackup
  beforeAll(async () => {
    ;({ server, etc } = await anOldServer(major))
    await server.start()
    backup = await aBackupOf(server)
  })

  it('comes whole: all that it includes, and files of names', () => {
    const original = join(backup.snapshot, 'conf/original')
    const names = entriesBelow(original)
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(original.length + 1))
    const more = major >= 16 ? ['hba.d/1.conf', 'hba.d/carols', 'maps.conf'] : []
    expect(names.sort()).toEqual(
      [
        ...['auth/the admins', 'auth/who may.conf', 'auto-too.conf', 'conf.d/10-memory.conf'],
        ...['conf.d/20-more.conf', 'conf.e/a.conf', 'more admins', "my conf/it's.conf", 'pg_ident.conf'],
        ...['pg_others', 'postgresql.auto.conf', 'postgresql.conf', 'site.conf', ...more],
      ].sort(),
    )
    expect(backup.stderr).not.toContain('could not')
    expect(backup.record.configuration?.missing).toEqual([])
  })

  it('works in a directory on another machine, and leads to no place of the old one', async () => {
    const away = `${etc}.away`
    await server.stop()
    await run(['mv', etc, away])
    const place = aDirectory('pgbk-restored-')
    const data = join(place, 'main')
    const port = await aFreePort()
    const made = await restored(backup.root, ['-D', data, '--start', '--port', String(port)])
    expect(made.notes).toEqual([])
    const settings = ['work_mem', 'maintenance_work_mem', 'temp_buffers', 'vacuum_cost_delay']
    const shown = settings.map((name) => `current_setting('${name}')`).join(', ')
    const asRole = (role: string) => ({ port, role, socket: server.socket })
    expect(await ask(asRole('focker'), `select ${shown}`, 'postgres', major)).toBe('7MB|7MB|7MB|7ms')
    const places = "string_agg(setting, ' ') from pg_settings where name ~ 'file$|director' and setting <> ''"
    const there = await ask(asRole('focker'), `select ${places}`, 'postgres', major)
    expect(there).not.toContain(etc)
    expect(there).not.toContain('/run/')
    for (const role of ['alice', 'bob', ...(major >= 16 ? ['carol'] : [])])
      expect(await ask(asRole(role), 'select 1', 'postgres', major)).toBe('1')
    if (major >= 16)
      expect(
        await ask(asRole('focker'), 'select count(*) from pg_ident_file_mappings', 'postgres', major),
      ).toBe('1')
    await run([`${binOf(major)}/pg_ctl`, '-D', data, '-m', 'fast', '-w', 'stop'])
    await run(['mv', away, etc])
  })
})

describe('what a server’s configuration lacks', () => {
  const major = Math.max(...oldestAndNewest)
  let server: TestServer
  let etc: string
  beforeAll(async () => {
    ;({ server, etc } = await anOldServer(major))
    await server.start()
    await server.sql(`create role reader login replication; grant pg_monitor to reader;`)
  })

  it('is told and recorded where a role may not read it', async () => {
    const env = { ...server.env, PGUSER: 'reader' }
    appendFileSync(join(etc, 'auth/who may.conf'), 'local all,replication reader trust\n')
    await server.sql('select pg_reload_conf()')
    const backup = await aBackupOf(server, { env })
    const missing = backup.record.configuration?.missing.map(({ path }) => path) ?? []
    expect(missing).toEqual(
      expect.arrayContaining([join(etc, 'postgresql.conf'), join(etc, 'auth/who may.conf')]),
    )
    for (const path of missing) expect(backup.stderr).toContain(`${path} could not be read`)
    const data = join(aDirectory('pgbk-restored-'), 'main')
    const { notes } = await restored(backup.root, ['-D', data])
    for (const path of missing) expect(notes.join('\n')).toContain(path)
  })

  it('is told and recorded where a file is gone since it was read, and nothing goes round for ever', async () => {
    await run(['rm', join(etc, 'pg_others')])
    const file = join(etc, 'conf.e/a.conf')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, `${text}include '../site.conf'\n`)
    const round = await aBackupOf(server)
    const { notes: told } = await restored(round.root, ['-D', join(aDirectory('pgbk-restored-'), 'main')])
    expect(told.join('\n')).toMatch(
      /does not start with it: could not open .*"conf.*": maximum nesting depth exceeded/,
    )
    writeFileSync(file, `${text}include 'gone.conf'\n`)
    const backup = await aBackupOf(server)
    const gone = [join(etc, 'conf.e/gone.conf'), join(etc, 'pg_others')]
    expect(backup.record.configuration?.missing.map(({ path }) => path).sort()).toEqual(gone)
    const data = join(aDirectory('pgbk-restored-'), 'main')
    const refused = await refusal(restore(backup.root, ['-D', data, '--start', '--json']))
    expect(refused).toMatchObject({ status: 1, code: 'failed' })
    expect(refused.message).toMatch(/pg_hba\.conf names of-server\S+pg_others, which is not here/)
    const { notes } = await restored(backup.root, ['-D', data])
    expect(notes.join('\n')).toMatch(/pg_hba\.conf names of-server\S+pg_others, which is not here/)
    expect(readFileSync(join(data, 'pg_hba.conf'), 'latin1')).toContain('K\xe4se')
  })
})

describe('a directory of the configuration that is not on this machine', () => {
  it('is told before anything is copied, and keeps no server with --start from being tried', async () => {
    const server = await aServer({ major: anyMajor })
    const place = aDirectory('pgbk-places-')
    await run(['mkdir', '-p', join(place, 'sockets'), join(place, 'logs')])
    await server.sql(`alter system set unix_socket_directories = '${server.socket}', '${place}/sockets'`)
    await server.sql(`alter system set log_directory = '${place}/logs/main'`)
    await server.sql('alter system set logging_collector = on')
    await server.sql("alter system set listen_addresses = '127.0.0.1', '192.0.2.1'")
    await server.stop()
    await server.start()
    const { root } = await aBackupOf(server)
    await server.stop()
    await run(['rm', '-r', join(place, 'sockets'), join(place, 'logs')])
    const data = join(aDirectory('pgbk-restored-'), 'main')
    const sockets = `unix_socket_directories has ${place}/sockets, which is not here: the server does not start without it`
    const { stdout } = await restore(root, ['-D', data, '--dry-run', '--json'])
    expect(JSON.parse(stdout).plan.missing).toEqual([])
    const asServer = ['-D', data, '--start', '--json', '--as-production']
    const refused = await refusal(restore(root, asServer))
    expect(refused).toMatchObject({ code: 'failed', message: expect.stringContaining(sockets) })
    const production = await restore(root, ['-D', data, '--dry-run', '--json', '--as-production'])
    expect(JSON.parse(production.stdout).plan.missing).toEqual([
      sockets,
      `log_directory = ${place}/logs/main, which is not here: the server does not start without it`,
    ])
    const { notes } = await restored(root, ['-D', data])
    expect(notes).toEqual([
      `unix_socket_directories is ${server.socket} in postgresql.auto.conf: ${place}/sockets is not here`,
    ])
  })
})
