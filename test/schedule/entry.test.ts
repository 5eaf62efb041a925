import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { programsIn, shellCommand, variablesFrom } from '../../src/schedule/command.js'
import { crontabLine, entriesIn, withEntry, withoutEntry } from '../../src/schedule/entry.js'
import { thrownBy } from '../catalog/samples.js'

const line = crontabLine('0 3 * * *', 'pgbk create', '/srv/a')
/** What others may have: comments, variables, a % of their own, bytes that are no UTF-8, blanks. */
const others = `# m h dom\nMAILTO=me\n\n5 4 * * * echo "50\\% \xff\xfe"   \n@reboot x # pgbk schedule /else\n#0 3 * * * y # pgbk schedule /srv/a\n`

describe('a line in a crontab', () => {
  it('is found again by its root, whatever that is called', () => {
    for (const root of ['/srv/a', '/srv/50% off', '/srv/größe', '/srv/a # pgbk schedule /b'.slice(0, 8)]) {
      const crontab = withEntry(others, root, crontabLine('5 4 * * 0', 'true', root))
      expect(entriesIn(crontab).map((entry) => [entry.root, entry.when])).toEqual([
        ['/else', '@reboot'],
        [root, '5 4 * * 0'],
      ])
    }
  })

  it('is put at the end, and taken out again, and all other lines stay byte for byte', () => {
    const written = withEntry(others, '/srv/a', line)
    expect(written).toBe(`${others}${line}\n`)
    expect(withoutEntry(written, '/srv/a')).toBe(others)
    expect(withEntry('', '/srv/a', line)).toBe(`${line}\n`)
    expect(withEntry('x', '/srv/a', line)).toBe(`x\n${line}\n`)
  })

  it('takes the place of the one before, and of any further one', () => {
    const twice = `a\n${line}\nb\n${line}\nc\n`
    const next = crontabLine('1 1 * * *', 'pgbk create', '/srv/a')
    expect(withEntry(twice, '/srv/a', next)).toBe(`a\n${next}\nb\nc\n`)
    expect(withEntry(withEntry(twice, '/srv/a', next), '/srv/a', next)).toBe(`a\n${next}\nb\nc\n`)
  })

  it('that somebody has turned into a comment is none', () =>
    expect(entriesIn('#0 3 * * * x # pgbk schedule /srv/a\n')).toEqual([]))

  it('has no % that ends the command', () =>
    expect(crontabLine('0 3 * * *', "date +'%F'", '/a%b')).toBe(
      "0 3 * * * date +'\\%F' # pgbk schedule /a\\%b",
    ))

  it('that is longer than cron takes is refused', async () =>
    expect(await thrownBy(() => crontabLine('0 3 * * *', 'x'.repeat(990), '/srv/a'))).toMatchObject({
      code: 'usage',
    }))
})

describe('the command of a line', () => {
  const surroundings = {
    self: ['/opt/no de', "/usr/lib/o'clock/pgbk.js"],
    root: '/srv/a b',
    configFile: '/etc/pgbk/x',
  }

  it('names everything in full', () =>
    expect(
      shellCommand([['create', '-h', 'db1'], ['prune']], {
        ...surroundings,
        variables: { PGPORT: '5433', PGUSER: 'Ü 1' },
      }),
    ).toBe(
      `export PGPORT=5433 PGUSER='Ü 1'; '/opt/no de' '/usr/lib/o'\\''clock/pgbk.js' create -h db1 -C '/srv/a b' --config /etc/pgbk/x && '/opt/no de' '/usr/lib/o'\\''clock/pgbk.js' prune -C '/srv/a b' --config /etc/pgbk/x`,
    ))

  it.each([
    ['all goes well', [0, 0, 0, 0], 'abcd', 0],
    ['no backup is made', [5, 0, 0, 0], 'a', 5],
    ['a store is away', [0, 0, 6, 0], 'abcd', 6],
    ['the root is not pruned', [0, 1, 0, 0], 'abcd', 1],
  ])('goes on with the other stores where %s', async (_, statuses, said, status) => {
    const names = ['a', 'b', 'c', 'd']
    const script = `printf %s "$1"; case $1 in ${names.map((name, at) => `${name}) exit ${statuses[at]};;`).join(' ')} esac`
    const self = ['sh', '-c', script, 'sh'] as const
    const line = shellCommand(
      names.map((name) => [name]),
      { self, root: '/r', configFile: undefined, variables: {} },
    )
    const { stdout, exitCode } = await execa('sh', ['-c', line], { reject: false })
    expect([stdout, exitCode]).toEqual([said, status])
  })

  it('takes along where S3 is where there are stores, and no password', () => {
    const env = {
      AWS_ENDPOINT_URL: 'https://u:geheim@s3',
      HTTPS_PROXY: 'http://u:geheim@proxy',
      https_proxy: 'u:geheim@proxy:3128',
      http_proxy: 'http://u:ge/heim@proxy',
      NO_PROXY: 'here',
      AWS_PROFILE: 'x',
      AWS_SECRET_ACCESS_KEY: 'geheim',
    }
    expect(variablesFrom(env)).toEqual({})
    expect(variablesFrom(env, true)).toEqual({ AWS_PROFILE: 'x', NO_PROXY: 'here' })
  })

  it('tells its programs', () => {
    const command = shellCommand([['create', '--scheduled']], {
      ...surroundings,
      variables: { PGHOST: '/tmp' },
    })
    expect(programsIn(crontabLine('0 3 * * *', command, '/srv/a'))).toEqual(surroundings.self)
    expect(programsIn('0 3 * * * somebody else')).toEqual([])
  })

  it('takes along what speaks of connections and of pgbk, and nothing else', () =>
    expect(
      variablesFrom({
        PGHOST: 'db1',
        PGBK_BIN_DIR: '/opt',
        PGBK_ROOT: '/x',
        HOME: '/h',
        PGUSER: '',
        PGTZ: 'UTC',
      }),
    ).toEqual({ PGHOST: 'db1', PGBK_BIN_DIR: '/opt' }))

  it('takes no password', async () =>
    expect(await thrownBy(() => variablesFrom({ PGPASSWORD: 'geheim' }))).toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('~/.pgpass'),
    }))

  it('has no line break', async () =>
    expect(
      await thrownBy(() => shellCommand([['create']], { ...surroundings, root: '/a\nb', variables: {} })),
    ).toMatchObject({ code: 'usage' }))
})
