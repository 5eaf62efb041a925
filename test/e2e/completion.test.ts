import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { needs } from '../helpers/needs.js'
import { program, runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { aRoot } from '../helpers/server.js'

const ids = ['20261121T030000Z', '20261120T030000Z']
let root: string
let bin: string
const scripts: Record<string, string> = {}
beforeAll(async () => {
  root = await aRoot('a root')
  for (const id of ids) mkdirSync(join(root, 'data/backup', id), { recursive: true })
  mkdirSync(join(root, 'data/instances/staging'), { recursive: true })
  bin = aDirectory()
  writeFileSync(join(bin, 'pgbk'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
  chmodSync(join(bin, 'pgbk'), 0o755)
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { status, stdout } = await runPgbk(['completion', shell])
    expect(status).toBe(0)
    scripts[shell] = join(bin, `script.${shell}`)
    writeFileSync(scripts[shell], stdout)
  }
})

async function run(shell: string, args: string[]): Promise<string> {
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: aDirectory(), TERM: 'dumb' }
  const { stdout } = await execa(shell, args, { cwd: '/', env, extendEnv: false, timeout: 30_000 })
  return stdout
}

/** What a shell offers for the last of these words, one a line. */
async function offers(shell: string, words: string[]): Promise<string[]> {
  const quote = (word: string) => (word === '' ? '' : word.replace(/ /g, '\\ '))
  const output =
    shell === 'fish'
      ? await run('fish', ['-c', `source ${scripts.fish}; complete -C '${words.map(quote).join(' ')}'`])
      : await run('bash', ['-c', inBash, 'bash', scripts.bash ?? '', ...words.map(quote)])
  return output
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '')
    .filter(Boolean)
}
/** As bash calls it; words are as they were typed. */
const inBash = `
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_pgbk 2>/dev/null
printf '%s\\n' "\${COMPREPLY[@]}"
`

for (const shell of ['bash', 'fish'])
  needs(`program ${shell}`).describe(`in ${shell}, pgbk completes`, () => completes(shell))

function completes(shell: string): void {
  it.each<[string, string[], string[]]>([
    ['a command', ['cre'], ['create']],
    ['a command after a word', ['instance', 'st'], ['start', 'stop']],
    ['a command after a global option and its value', ['-C', '/create', 'ver'], ['verify']],
    ['an option', ['create', '--sched'], ['--scheduled']],
    ['an option of the command alone', ['list', '--sched'], []],
    ["an option's values", ['create', '--checkpoint', ''], ['fast', 'spread']],
    ['a shell', ['completion', 'b'], ['bash']],
    ['by another name of a command', ['ls', '--fr'], ['--from']],
    ['nothing of its own after --', ['local-run', '--', '--sched'], []],
  ])('%s', async (_what, words, expected) =>
    expect((await offers(shell, ['pgbk', ...words])).sort()).toEqual(expected),
  )

  it('the backups of the root', async () => {
    expect(await offers(shell, ['pgbk', 'show', '-C', root, '2026'])).toEqual(
      expect.arrayContaining(shell === 'fish' ? ids : [...ids]),
    )
    expect(await offers(shell, ['pgbk', 'delete', '-C', root, 'old'])).toEqual(['oldest'])
  })

  it('instances', async () =>
    expect(await offers(shell, ['pgbk', 'instance', 'stop', '-C', root, ''])).toEqual(['staging']))
}

/** Types into an interactive zsh and waits for what it makes of it. */
const inZsh = `
zmodload zsh/zpty
zpty -b z zsh -f -i
zpty -w z 'PS1="> "; autoload -U compinit; compinit -u -D; source ${'$'}SCRIPT; echo REA""DY'
zpty -r z line '*READY*'
zpty -w -n z "$1"$'\\t'
zpty -r z line "$2"
print -r -- "$line"
zpty -d z
`

needs('program zsh').describe('in zsh, pgbk completes', () => {
  it.each([
    ['a command', 'pgbk cre', '*cre*ate *'],
    ['an option', 'pgbk create --sched', '*--sched*uled *'],
    ["an option's values", 'pgbk create --checkpoint s', '*--checkpoint s*pread*'],
    ['a command after a word', 'pgbk wal rec', '*rec*eive*'],
  ])('%s', async (_what, typed, expected) => {
    const script = inZsh.replace('$SCRIPT', scripts.zsh ?? '')
    expect(await run('zsh', ['-f', '-c', script, 'zsh', typed, expected])).not.toBe('')
  })

  it('the backups of the root', async () => {
    const script = inZsh.replace('$SCRIPT', scripts.zsh ?? '')
    const typed = `pgbk show -C ${root.replaceAll(' ', '\\ ')} 20261120`
    expect(await run('zsh', ['-f', '-c', script, 'zsh', typed, '*20261120*T030000Z*'])).not.toBe('')
  })
})

describe('pgbk completion', () => {
  it('works where the configuration has faults', async () => {
    const place = await aRoot()
    writeFileSync(join(place, '.pgbkrc.yaml'), 'dayly: 7\n')
    expect(await runPgbk(['completion', 'bash'], { cwd: place })).toMatchObject({ status: 0, stderr: '' })
    expect(await runPgbk(['completion', 'ids'], { cwd: place })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    })
  })

  it.each([[['tcsh']], [[]], [['bash', '--json']]])('refuses %j', async (args) =>
    expect(await runPgbk(['completion', ...args])).toMatchObject({ status: 2 }),
  )
})
