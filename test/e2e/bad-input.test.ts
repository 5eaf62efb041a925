import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { needs } from '../helpers/needs.js'
import { program, runPgbk } from '../helpers/pgbk.js'
import { anyMajor, attempt, run } from '../helpers/programs.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { entriesOf, idsIn } from '../helpers/traces.js'
import { isRoot } from '../helpers/users.js'

let server: TestServer
let root: string
beforeAll(async () => {
  server = await aServer({ major: anyMajor })
})
beforeEach(async () => {
  root = await aRoot()
})

/** Runs pgbk on the root and returns how it failed. */
async function failureOf(args: string[], env: Record<string, string> = server.env) {
  const { status, stdout } = await runPgbk([...args, '-C', root, '--json'], { env })
  const { code, message, hint } = JSON.parse(stdout).error
  return { status, code, message, hint: hint ?? '' }
}

describe('create refuses, before it writes anything,', () => {
  it.each([
    'two\nlines',
    'a carriage\rreturn',
    'an escape \u001b[31m',
    'a tab\there',
    'C1 \u009b2J',
    'turned \u202eround',
    'a line\u2028separator',
    '',
    '   ',
    'x'.repeat(201),
  ])('the label %j', async (label) => {
    const failure = await failureOf(['create', '--label', label])
    expect(failure).toMatchObject({ status: 2, code: 'usage' })
    expect(failure.message).toContain('label')
    expect(readdirSync(root)).toEqual([])
  })

  it.each(['31', '31k', '1025M', '2000000', '5G', '-1', '-100', 'fast', '', '50 M', '1e3', '0x20'])(
    'the rate %j',
    async (rate) => {
      const failure = await failureOf(['create', `--max-rate=${rate}`])
      expect(failure).toMatchObject({ status: 2, code: 'usage' })
      expect(failure.message).toContain('--max-rate')
      expect(readdirSync(root)).toEqual([])
    },
  )

  it.each(['slow', '', 'FAST'])('the checkpoint mode %j, naming those that there are', async (mode) => {
    const failure = await failureOf(['create', `--checkpoint=${mode}`])
    expect(failure).toMatchObject({ status: 2, code: 'usage' })
    expect(failure.message).toContain('fast, spread')
    expect(readdirSync(root)).toEqual([])
  })

  it.each(['postgresql://u:hush@h:x:y/db', 'host=h password=hush port'])(
    'the connection string %j without repeating its password',
    async (conninfo) => {
      const failure = await failureOf(['create', '-d', conninfo], {})
      expect(failure.status).toBe(2)
      expect(JSON.stringify(failure)).not.toContain('hush')
      expect(readdirSync(root)).toEqual([])
    },
  )

  it.each([
    [['-p', 'abc'], {}, 'invalid integer value "abc"'],
    [['-p', '99999'], {}, 'invalid port number: "99999"'],
    [['-d', 'host=/nowhere foo=bar'], {}, 'invalid connection option "foo"'],
    [['-d', 'sslmode=perhaps'], {}, 'invalid sslmode value: "perhaps"'],
    [[], { PGPORT: 'abc' }, 'invalid integer value "abc"'],
    [[], { PGSERVICE: 'nosuch' }, 'definition of service "nosuch" not found'],
  ])('the parameters %j, or %j, in the words of libpq', async (args, env, said) => {
    const failure = await failureOf(['create', ...args], env)
    expect(failure).toMatchObject({ status: 2, code: 'usage' })
    expect(failure.message).toContain(`the connection's parameters are wrong: ${said}`)
    expect(readdirSync(root)).toEqual([])
  })
})

describe('a label', () => {
  it.each(['x'.repeat(200), '  "quotes", $(date), %s & 東京 🐘 ', '-- drop table x'])(
    'that fits on one line is kept as it is: %j',
    async (label) => {
      const { status } = await runPgbk(['create', '-C', root, `--label=${label}`], { env: server.env })
      expect(status).toBe(0)
      const { stdout } = await runPgbk(['show', 'latest', '-C', root, '--json'])
      expect(JSON.parse(stdout).backup.label).toBe(label)
    },
  )
})

describe('ids that are none', () => {
  const ids = ['../../etc', '20261120T030000Z/..', '20261120/..', '', '/etc', '.', '..', '*', '2026']

  it.each(ids)('%j is refused by show', async (id) => {
    expect(await failureOf(['show', id])).toMatchObject({ status: 2, code: 'usage' })
  })

  it.each(ids)('%j is refused by delete, which removes nothing', async (id) => {
    const [kept = ''] = [`${root}/data/backup/keep`]
    mkdirSync(kept, { recursive: true })
    writeFileSync(`${kept}/backup.json`, '{}')
    expect(await failureOf(['delete', '--yes', '--last', id])).toMatchObject({ status: 2, code: 'usage' })
    expect(entriesOf(root)).toEqual(['keep'])
  })

  it('is another matter than one that is not there', async () => {
    for (const command of ['show', 'delete']) {
      expect(await failureOf([command, '20200101T000000Z'])).toMatchObject({ status: 3, code: 'not-found' })
    }
  })
})

describe('a command line that pgbk does not know', () => {
  it.each([
    [['create', '--labl', 'x'], '--label'],
    [['creat'], 'create'],
    [['lsit'], 'list'],
    [['list', '--jsn'], '--json'],
    [['hold'], 'pgbk --help'],
    [['delete'], 'pgbk --help'],
    [['list', 'extra'], 'pgbk --help'],
    [['create', '--', 'ls'], 'pgbk create --help'],
  ])('%j has status 2 and suggests %j', async (args, suggestion) => {
    const { status, stdout, stderr } = await runPgbk(args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(suggestion)
  })
})

describe('an empty environment', () => {
  it('is enough for create and list', async () => {
    const bare = ['env', '-i', process.execPath, program]
    const connect = ['-h', server.socket, '-p', String(server.port), '-U', server.superuser]
    const created = await attempt([...bare, 'create', '-C', root, ...connect])
    expect(created).toMatchObject({ status: 0 })
    const listed = await run([...bare, 'list', '-C', root])
    expect(listed.stdout).toContain(idsIn(root)[0])
  })
})

describe('a configuration file', () => {
  const withConfig = (text: string, mode = 0o600) => {
    writeFileSync(join(root, '.pgbkrc.yaml'), text)
    chmodSync(join(root, '.pgbkrc.yaml'), mode)
    // Root believes only what is in its own directories.
    if (isRoot) chownSync(root, 0, 0)
    return runPgbk(['list', '--json'], { cwd: root, asRoot: true })
  }

  // An ordinary user's private group is nobody else.
  it.each([0o602, ...(isRoot ? [0o620] : []), 0o666])(
    'that others can write (mode %i) is refused',
    async (mode) => {
      const { status, stdout } = await withConfig('run_as: postgres\n', mode)
      const { code, message, hint } = JSON.parse(stdout).error
      expect({ status, code }).toEqual({ status: 2, code: 'config' })
      expect(message).toContain('can be written by others')
      expect(hint).toContain(`chmod go-w ${root}/.pgbkrc.yaml`)
    },
  )

  it('with several faults has all of them named', async () => {
    const faults = ['colour: red', 'create: {checkpoint: slow, max_rate: lots}', 'retention: {daily: many}']
    const { status, stdout } = await withConfig(`${faults.join('\n')}\n`)
    const { code, hint } = JSON.parse(stdout).error
    expect({ status, code }).toEqual({ status: 2, code: 'config' })
    for (const path of ['colour', 'create.checkpoint', 'create.max_rate', 'retention.daily'])
      expect(hint).toContain(path)
  })

  it.each(['[1, 2]', 'just text', 'a: [', '\u0000'])(
    'that is no list of keys is refused: %j',
    async (text) => {
      const { status, stdout } = await withConfig(text)
      expect({ status, code: JSON.parse(stdout).error.code }).toEqual({ status: 2, code: 'config' })
    },
  )

  it('that is named but not there is refused', async () => {
    expect(await failureOf(['list', '--config', `${root}/none`])).toMatchObject({ status: 2, code: 'config' })
  })
})

describe('what is no whole backup', () => {
  beforeEach(async () => {
    await run([process.execPath, program, 'create', '-C', root], { env: { ...process.env, ...server.env } })
  })
  const broken = {
    '20200101T000000Z': (record: string) => writeFileSync(record, readFileSync(record).subarray(0, 200)),
    '20200102T000000Z': (record: string) => edit(record, { format: 99, id: '20200102T000000Z' }),
    '20200103T000000Z': (record: string) => edit(record, { id: '20200104T000000Z' }),
    '20200105T000000Z': (record: string) => edit(record, { start_lsn: 'nowhere', id: '20200105T000000Z' }),
    '20200106T000000Z': (record: string) => writeFileSync(record, ''),
  }
  const reasons: Record<string, RegExp> = {
    '20200101T000000Z': /unreadable/,
    '20200102T000000Z': /format 99, but this pgbk reads formats up to 3/,
    '20200103T000000Z': /record is that of 20200104T000000Z/,
    '20200105T000000Z': /start_lsn/,
    '20200106T000000Z': /unreadable/,
    '20200107T000000Z': /\S/,
    '20200108T000000Z': /not a directory/,
    '20200109T000000Z': /no record/,
    '20201399T000000Z': /not a datestamp/,
    'my-notes': /not a datestamp/,
    '.20200110T000000Z.partial': /create that is running or was interrupted/,
  }

  it('is named with the reason, and the rest is listed', async () => {
    const [whole = ''] = idsIn(root)
    putBrokenOnes(whole)
    const { status, stdout, stderr } = await runPgbk(['list', '-C', root])
    expect(status).toBe(0)
    expect(stdout).toContain(whole)
    expect(stdout).toContain('1 backup,')
    expect(stdout).not.toMatch(/^20(20|2013)/m)
    for (const [name, reason] of Object.entries(reasons)) {
      const line = stderr.split('\n').find((text) => text.includes(`${name} is not a whole backup`))
      expect(`${name}: ${line}`).toMatch(reason)
    }
  })

  it('cannot be shown or deleted, and never counts as the last whole one', async () => {
    const [whole = ''] = idsIn(root)
    putBrokenOnes(whole)
    for (const id of ['20200101T000000Z', '20200102T000000Z', '20200107T000000Z', '20200109T000000Z']) {
      expect(await failureOf(['show', id])).toMatchObject({ status: 3, code: 'not-found' })
    }
    expect(await failureOf(['delete', whole])).toMatchObject({ status: 2, code: 'usage' })
    expect(idsIn(root)).toContain(whole)
  })

  it.each(['data/backup', 'data', 'data/backup/ID'])(
    'or whole cannot be told when %s may not be read: status 1, never an empty list',
    async (place) => {
      const directory = join(root, place.replace('ID', idsIn(root)[0] ?? ''))
      chmodSync(directory, 0o000)
      const { status, stdout, stderr } = await runPgbk(['list', '-C', root])
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(/cannot read .*(EACCES|permission denied)/)
      chmodSync(directory, 0o700)
    },
  )

  function putBrokenOnes(whole: string): void {
    const backups = join(root, 'data', 'backup')
    for (const [id, spoil] of Object.entries(broken)) {
      mkdirSync(join(backups, id), { mode: 0o755 })
      cpSync(join(backups, whole, 'backup.json'), join(backups, id, 'backup.json'))
      chmodSync(join(backups, id, 'backup.json'), 0o644)
      spoil(join(backups, id, 'backup.json'))
    }
    mkdirSync(join(backups, '20200107T000000Z', 'backup.json'), { recursive: true })
    writeFileSync(join(backups, '20200108T000000Z'), '')
    for (const name of ['20200109T000000Z', '20201399T000000Z', 'my-notes', '.20200110T000000Z.partial'])
      mkdirSync(join(backups, name))
  }

  function edit(record: string, changes: object): void {
    writeFileSync(record, JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), ...changes }))
  }
})

needs('root').describe('root', () => {
  it('without the user whom backups belong to is told to set run_as, and nothing is written', async () => {
    const env = { ...server.env, PGBK_RUN_AS: 'no-such-user' }
    const { status, stdout } = await runPgbk(['create', '-C', root, '--json'], { env, asRoot: true })
    const { code, message, hint } = JSON.parse(stdout).error
    expect({ status, code }).toEqual({ status: 2, code: 'config' })
    expect(message).toContain('no-such-user')
    expect(hint).toContain('PGBK_RUN_AS')
    expect(readdirSync(root)).toEqual([])
  })

  it('can be refused by a root that is not there without having made anything', async () => {
    const env = { ...server.env, PGBK_RUN_AS: 'no-such-user' }
    await runPgbk(['create', '-C', join(root, 'new'), '--json'], { env, asRoot: true })
    expect(readdirSync(root)).toEqual([])
  })
})
