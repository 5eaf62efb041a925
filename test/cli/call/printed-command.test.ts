import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { printedCommand } from '../../../src/cli/call/printed-command.js'
import { parseCommandLine } from '../../../src/cli/declare.js'

/** What a command looks like that is printed by a call of pgbk in /home/me. */
function printed(called: string[], command: string, other?: { root?: string; config?: string }): string {
  const invocation = parseCommandLine(called, () => {}, 80)
  if (!invocation) throw new Error('nothing is called')
  return printedCommand(invocation, '/home/me')(command, other)
}

describe('a printed command', () => {
  it.each([
    ['nothing where nothing was named', ['doctor'], 'create', 'pgbk create'],
    [
      'the root, in full',
      ['list', '-C', 'pg backups'],
      'show 2026',
      "pgbk show 2026 -C '/home/me/pg backups'",
    ],
    ['the configuration', ['--config', 'x.yaml', 'prune'], 'prune', 'pgbk prune --config /home/me/x.yaml'],
    [
      'the connection',
      ['doctor', '-h', 'db1', '-p', '5433', '-U', 'a b', '-d', 'app', '-C', '/srv/pg'],
      'wal drop-slot --yes',
      "pgbk wal drop-slot --yes -C /srv/pg -d app -h db1 -p 5433 -U 'a b'",
    ],
  ])('has %s', (_what, called, command, text) => expect(printed(called, command)).toBe(text))

  it('has no connection where it takes none, or the call had none', () => {
    expect(printed(['create', '-h', 'db1'], 'local-run 20261120T030000Z')).toBe(
      'pgbk local-run 20261120T030000Z',
    )
    expect(printed(['local-run', '--port', '5433', '--dbname', 'app'], 'create')).toBe('pgbk create')
  })

  it.each(['create', 'doctor', 'schedule --daily 03:00', 'status', 'wal receive', 'wal status'])(
    'has it for %s',
    (command) => expect(printed(['create', '-h', 'db1'], command)).toBe(`pgbk ${command} -h db1`),
  )

  it.each([
    ['postgresql://me@db1/app', '-d postgresql://me@db1/app'],
    ['postgresql://me:geheim@db1/app', "-d 'user=me host=db1 dbname=app'"],
    ['host=db1 password=geheim', '-d host=db1'],
    ['host=db1 sslpassword=geheim', '-d host=db1'],
    ['host=db1 password=geheim broken', '-d CONNECTION'],
  ])('shows %j without a password', (connection, words) =>
    expect(printed(['status', '-d', connection], 'create')).toBe(`pgbk create ${words}`),
  )

  it('can name another root, and another configuration', () =>
    expect(printed(['download', 'latest', '-C', '/a'], 'list', { root: 'b', config: '/c' })).toBe(
      'pgbk list -C /home/me/b --config /c',
    ))
})

it('no message has a command to paste that is not made this way, but with a place to fill in', () => {
  const src = fileURLToPath(new URL('../../../src', import.meta.url))
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' })
  // The examples of help texts are none.
  const files = names.filter((name) => name.endsWith('.ts') && !name.startsWith('cli/'))
  const found = files.flatMap((file) => {
    const lines =
      readFileSync(join(src, file), 'utf8').match(/(?:^ {2}|\\n {2}|[:.] {2,})pgbk [a-z]+ .*/gm) ?? []
    return lines.filter((line) => !/ -C (DIR|\$\{)/.test(line)).map((line) => `${file}: ${line.trim()}`)
  })
  expect(found).toEqual([])
})
