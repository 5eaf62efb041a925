import { execa } from 'execa'
import { program } from './pgbk.js'
import { aDirectory } from './places.js'
import { asUser } from './users.js'

const home = aDirectory('pgbk-home-')

/** What somebody types once pgbk asks so. */
export interface Typed {
  asked: string
  keys: string
}

/** Runs the built program at a terminal of its own, as the ordinary user or as root; it is killed where it waits for more than is typed. */
export async function atTerminal(args: string[], typed: Typed[], { asRoot = false } = {}) {
  const line = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ')
  const command = `stty rows 24 columns 200; exec timeout --foreground --signal=KILL 120 ${line}`
  const [file = '', ...rest] = [...(asRoot ? [] : asUser()), 'script', '-qec', command, '/dev/null']
  const terminal = execa(file, rest, {
    env: { HOME: home, XDG_CACHE_HOME: home },
    cwd: '/',
    reject: false,
    all: true,
  })
  const left = [...typed]
  let said = ''
  let answered = 0
  terminal.all?.on('data', (chunk) => {
    said += chunk
    const [next] = left
    if (!next || !said.slice(answered).includes(next.asked)) return
    left.shift()
    answered = said.length
    terminal.stdin.write(next.keys)
  })
  const { exitCode } = await terminal
  return { status: exitCode, said, left }
}
