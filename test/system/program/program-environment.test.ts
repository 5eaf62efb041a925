import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { type ProgramKind, startOptions } from '../../../src/system/program/program-environment.js'
import { runProgram } from '../../../src/system/program/run-program.js'
import { aDirectory } from '../../helpers/places.js'

const usual = '/usr/local/bin:/usr/bin:/bin'

const env = {
  HOME: '/home/ada',
  PATH: ':/a:bin',
  LANG: 'de_DE.UTF-8',
  LANGUAGE: 'de',
  LC_ALL: 'de_DE.UTF-8',
  TERM: 'xterm',
  TZ: 'Asia/Tokyo',
  PGHOST: 'db1',
  PGPASSWORD: 'secret',
  PGBK_ROOT: '/backups',
  DATABASE_URL: 'postgres://ada:secret@db1/shop',
  TOKEN: 'x',
}
const { LANGUAGE: _language, ...english } = { ...env, LC_ALL: 'C', PATH: '/a' }
const { HOME, LANG, LC_ALL, LANGUAGE, TERM, TOKEN, TZ } = env
const { PGHOST: _host, PGPASSWORD: _password, ...unled } = { ...env, PATH: '/a' }

it.each<[ProgramKind, object]>([
  ['tool', english],
  ['server', { HOME, PATH: '/a', LANG, LC_ALL: 'C', TZ }],
  ['own', { ...env, PATH: '/a' }],
  ['another', { PATH: '/a', LANG, LC_ALL, TERM, TZ }],
  ['hook', { HOME, PATH: '/a', LANG, LANGUAGE, LC_ALL, TERM, TZ, TOKEN }],
  ['command', unled],
])('a program of the kind %s gets of the environment what is meant for it', (kind, expected) =>
  expect(startOptions({ env, kind }).env).toEqual(expected),
)

it('a program that nobody says more of is a tool, with messages in English, and a PATH where there is none', () => {
  expect(startOptions({}).env).toEqual({ LC_ALL: 'C', PATH: usual })
  expect(startOptions({ env: { PATH: '' } }).env).toEqual({ LC_ALL: 'C', PATH: usual })
})

it('has its own variables besides, whatever its kind, and its own programs first', () => {
  const place = { env, kind: 'server', variables: { PGHOST: '/run' }, programs: '/pg/bin' } as const
  expect(startOptions(place).env).toMatchObject({ PGHOST: '/run', PATH: '/pg/bin:/a' })
})

it.each(['LC_ALL', 'PATH', 'LANGUAGE'])('what runs has this %s', async (name) => {
  const { stdout } = await runProgram('/bin/sh', ['-c', `echo "\${${name}-unset}"`], {
    env,
    cwd: aDirectory(),
  })
  expect(stdout.trim()).toBe({ LC_ALL: 'C', PATH: '/a', LANGUAGE: 'unset' }[name])
})

/** Who makes an environment all the same, and why no program gets it that way. */
const allowed: Record<string, string> = {
  'process-context.ts': 'the one that all others come from',
  'postgres/connection/service-file.ts': 'what libpq is told is a part of a connection',
  'schedule/command.ts': 'variables for a scheduled line',
  'system/process/become.ts': 'of this process, when it changes its user',
  'system/program/program-environment.ts': 'the rules',
}

const making = /\{\s*\.\.\.(?:\w+\.)*env\b|\benv: \{|\bLC_ALL: |\bentries\((?:\w+\.)*env\)|\bextendEnv\b/

function makers(sources: Record<string, string>): string[] {
  return Object.keys(sources).filter((file) => making.test(sources[file] ?? ''))
}

describe('the sources', () => {
  const src = fileURLToPath(new URL('../../../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const sources = Object.fromEntries(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]))

  it('make the environment of a program in one place', () =>
    expect(makers(sources).sort()).toEqual(Object.keys(allowed).sort()))

  it('start every program with it', () => {
    const runners = files.filter((file) => sources[file]?.includes("import('execa')"))
    expect(runners).toEqual(['system/program/start-program.ts'])
    expect(sources['system/program/start-program.ts']).toContain('...startOptions(')
  })
})

it.each([
  'runProgram(file, [], { env: { ...env, LANG } })',
  'const own = { ...context.env, X: 1 }',
  "return { ...kept, LC_ALL: 'C' }",
  'Object.entries(context.env).filter(isKept)',
])('the check of made-up sources finds %j', (text) => expect(makers({ 'a.ts': text })).toEqual(['a.ts']))
