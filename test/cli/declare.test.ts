import { describe, expect, it } from '@jest/globals'
import { checkInvocation, parseCommandLine } from '../../src/cli/declare.js'
import { thrownBy } from '../catalog/samples.js'

/** What a command line asks for, and what it prints. */
function parse(...argv: string[]) {
  let printed = ''
  const invocation = parseCommandLine(
    argv,
    (text) => {
      printed += text
    },
    80,
  )
  if (invocation) checkInvocation(invocation)
  return { invocation, printed }
}
const globalsOf = (...argv: string[]) => parse(...argv).invocation?.globals
const optionsOf = (...argv: string[]) => parse(...argv).invocation?.options

describe('a command line', () => {
  it.each([
    [['create'], 'create', []],
    [['list'], 'list', []],
    [['ls'], 'list', []],
    [['show', 'latest'], 'show', ['latest']],
    [['delete', '20261120', 'oldest'], 'delete', ['20261120', 'oldest']],
  ])('%j asks for %s', (argv, command, ids) =>
    expect(parse(...argv).invocation).toMatchObject({ spec: { name: command }, ids }),
  )

  it('has the options of create', () => {
    const flags = [
      '--label',
      'a b',
      '--scheduled',
      '--checkpoint',
      'spread',
      '--max-rate',
      '50M',
      '--no-verify',
    ]
    expect(optionsOf('create', ...flags, '--new-cluster')).toMatchObject({
      label: 'a b',
      scheduled: true,
      checkpoint: 'spread',
      maxRate: '50M',
      verify: false,
      newCluster: true,
    })
  })

  it('connects as psql does', () => {
    const connection = { host: 'db1', port: '5433', username: 'me', dbname: 'app' }
    expect(optionsOf('create', '-h', 'db1', '-p', '5433', '-U', 'me', '-d', 'app')).toMatchObject(connection)
    const long = ['--host=db1', '--port=5433', '--username=me', '--dbname=app']
    expect(optionsOf('create', ...long)).toMatchObject(connection)
  })
})

describe('global options', () => {
  it.each([
    [['-C', '/r', 'list']],
    [['list', '-C', '/r']],
    [['--root=/r', 'list']],
    [['show', 'latest', '--root', '/r']],
    [['-C', '/other', 'list', '-C', '/r']],
  ])('name the root in %j', (argv) => expect(globalsOf(...argv)?.root).toBe('/r'))

  it('may stand on both sides at once', () => {
    expect(globalsOf('--json', '-q', 'list', '-v', '--config', 'f', '--no-color')).toEqual({
      json: true,
      quiet: true,
      verbose: true,
      config: 'f',
      color: false,
    })
  })

  it.each([[['--no-color', 'list']], [['list', '--no-color']]])('turn colours off in %j', (argv) => {
    expect(globalsOf(...argv)?.color).toBe(false)
  })

  it('leave colours on when they are not given', () => expect(globalsOf('list')?.color).toBe(true))
})

describe('help', () => {
  it.each([[[]], [['--help']], [['-h']], [['help']]])('is printed for %j, with all commands', (argv) => {
    const { invocation, printed } = parse(...argv)
    expect(invocation).toBeUndefined()
    for (const word of ['Usage: pgbk', 'create', 'list', 'show', 'delete', '--root', 'Exit status:'])
      expect(printed).toContain(word)
  })

  it.each([
    [['create', '--help'], 'create'],
    [['create', '-h'], 'create'],
    [['help', 'create'], 'create'],
    [['list', '-h'], 'list'],
    [['-C', '/r', 'show', '-h'], 'show'],
    [['create', '-p', '5433', '-h'], 'create'],
  ])('for %j is that of %s', (argv, command) => {
    const { invocation, printed } = parse(...argv)
    expect(invocation).toBeUndefined()
    expect(printed).toContain(`Usage: pgbk ${command}`)
    expect(printed).toContain('Examples:')
  })

  it('is not what -h with a value asks for', () => {
    expect(parse('create', '-h', 'db1')).toMatchObject({
      printed: '',
      invocation: { options: { host: 'db1' } },
    })
  })

  it('fits 80 columns', () => {
    for (const argv of [['--help'], ['create', '--help'], ['list', '-h'], ['show', '-h'], ['delete', '-h']])
      expect(
        parse(...argv)
          .printed.split('\n')
          .filter((line) => line.length > 80),
      ).toEqual([])
  })
})

describe('a wrong command line', () => {
  it.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['list', '--frobnicate'], /unknown option '--frobnicate'/],
    [['--frobnicate', 'list'], /unknown option '--frobnicate'/],
    [['list', '-h', 'db1'], /unknown option '-h'/],
    [['list', 'more'], /too many arguments/],
    [['delete'], /missing required argument 'id'/],
    [['create', '--checkpoint', 'slow'], /argument 'slow' is invalid.*fast, spread/],
    [['create', '--label'], /argument missing/],
    [['instance'], /instance alone does nothing/],
    [['help', 'frobnicate'], /there is no command "frobnicate"/],
    [['-C', '/srv'], /no command is named/],
  ])('%j is named', async (argv, message) => {
    const error = await thrownBy(() => parse(...argv))
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('--help') })
    expect(error.message).toMatch(message)
    expect(error.message).not.toMatch(/^error|\.$|\n/)
  })

  it('that nearly names a command is told which', async () => {
    expect((await thrownBy(() => parse('craete'))).hint).toMatch(/Did you mean create\?/)
  })
})
