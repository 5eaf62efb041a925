import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { isInclude, parseConf } from '../../../src/snapshot/conf/conf-text.js'
import { randomNumbers } from '../../helpers/chance.js'
import { aDirectory } from '../../helpers/places.js'
import { anyMajor, attempt, binOf } from '../../helpers/programs.js'

const parsed = (text: string) =>
  parseConf(text).map(({ name, value, isFaulty }) => (isFaulty ? 'faulty' : name && `${name}=${value}`))

describe('a line of a configuration', () => {
  it.each([
    ['port = 5432', 'port=5432'],
    ['  PORT 5432\t# mine\r', 'port=5432'],
    ["app.tenant='it''s \\'so\\''", "app.tenant=it's 'so'"],
    ["a = '\\057tmp\\n\\q'", 'a=/tmp\nq'],
    ["a = 'cut\\0off'", 'a=cut'],
    ['a = on', 'a=on'],
    ['a=conf.d/more-1:2', 'a=conf.d/more-1:2'],
    ['a = -0x1fMB', 'a=-0x1fMB'],
    ['a = 1.5e-3', 'a=1.5e-3'],
    ['a+5', 'a=+5'],
    ["include'x'", 'include=x'],
    ['# a = 1', undefined],
    [' \t', undefined],
  ])('%j sets %j', (line, expected) => expect(parsed(line)).toEqual([expected]))

  it.each([
    'port',
    'port = ',
    "a = 'open",
    "a = 'one' 'two'",
    'a = 1 2',
    'a == 1',
    'a.b.c = 1',
    'a-b = 1',
    'a = b.c',
    '= 1',
    "'a' = 1",
    'a = /tmp/x',
    'a = 1;',
    '\v a = 1',
  ])('%j is none', (line) => expect(parsed(line)).toEqual(['faulty']))

  it('has a number, and ends at a line feed alone', () => {
    expect(parseConf('a = 1\r\n\nb = 2').map(({ number, name }) => [number, name])).toEqual([
      [1, 'a'],
      [2, undefined],
      [3, 'b'],
    ])
    expect(parsed('a = 1\rb = 2')).toEqual(['faulty'])
  })

  it.each([
    "include '/tmp/x'",
    'INCLUDE_DIR = conf.d',
    'include_if_exists x',
    "  Include'x'",
    'include',
    "include = 'open",
    'include-x = 1',
  ])('%j is taken for an include', (line) => expect(isInclude(parseConf(line)[0] as never)).toBe(true))

  it.each(['includes = 1', '#include x', "a = 'include x'", 'my.include = 1'])('%j is not', (line) =>
    expect(isInclude(parseConf(line)[0] as never)).toBe(false),
  )
})

describe('lines of all kinds', () => {
  const pieces = `' '' \\' \\ = # . , - + / : ; " a b.c 0x1f 12 1.5 1e5 MB \\n \\101 \\0 on ä é \t \r`
    .split(' ')
    .concat(' ')
  const numbers = randomNumbers(5000, 2 ** 30, 'configuration')
  const draw = (limit: number) => (numbers.pop() ?? 0) % limit
  const values = Array.from({ length: 90 }, () => {
    const inner = Array.from({ length: draw(6) }, () => pieces[draw(pieces.length)]).join('')
    return [inner, `'${inner}'`, `= ${inner}`, `= '${inner}' # x`][draw(4)] as string
  })
  let directory: string
  beforeAll(() => {
    directory = aDirectory()
  })

  it('mean to PostgreSQL what they mean here', async () => {
    for (const value of values) {
      const text = `app.value ${value}\n`
      writeFileSync(join(directory, 'postgresql.conf'), text, 'latin1')
      const command = [`${binOf(anyMajor)}/postgres`, '-C', 'app.value', '-D', directory]
      const { status, stdout } = await attempt(command, {
        encoding: 'latin1',
        stripFinalNewline: false,
      } as never)
      const [line] = parseConf(Buffer.from(text, 'latin1').toString('latin1'))
      const ours = line?.isFaulty || line?.name === undefined ? undefined : line.value
      const theirs = status === 0 ? stdout.replace(/\n$/, '') : undefined
      expect(JSON.stringify({ text, value: ours })).toBe(JSON.stringify({ text, value: theirs }))
    }
  })
})
