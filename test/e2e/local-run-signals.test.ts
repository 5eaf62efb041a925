import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf } from '../helpers/chance.js'
import { eachUserAndForm, type Form, forms, inForms } from '../helpers/forms.js'
import { aReadyRun, cache, localRun, nothing, remainsOf, startLocalRun } from '../helpers/local-run.js'
import { program } from '../helpers/pgbk.js'
import { wordsOf } from '../helpers/process-list.js'
import { anyMajor } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'
import { pidsIn } from '../helpers/servers-in.js'
import { until } from '../helpers/traces.js'
import { asUser } from '../helpers/users.js'

let backups: Record<Form, MadeBackup>
beforeAll(async () => {
  backups = await inForms(await aBackupOf(await aServer({ major: anyMajor })))
})

/** Says when it is ready; when it gets the signal it asks the server once more, and ends with 7. */
const commandThatMindsSignals = (signal: string) => [
  'sh',
  '-c',
  `trap 'psql -XAtc "select 6 * 7"; exit 7' ${signal}; echo ready; while :; do sleep 0.05; done`,
]

/** Waits until the program has printed this. */
async function untilItPrints(child: ReturnType<typeof startLocalRun>, text: string): Promise<void> {
  let printed = ''
  child.stdout?.on('data', (chunk) => {
    printed += chunk
  })
  await until(`it prints ${text}`, () => printed.includes(text) || child.exitCode !== null)
}

eachUserAndForm('a run of a %f backup that %s has started', (user, form) => {
  const options = { asRoot: user === 'root' }

  it.each([
    ['SIGTERM', 'TERM'],
    ['SIGINT', 'INT'],
    ['SIGHUP', 'HUP'],
  ] as const)('passes %s on to COMMAND, and stops the server only after its end', async (signal, name) => {
    const child = startLocalRun(backups[form].root, ['--', ...commandThatMindsSignals(name)], options)
    await untilItPrints(child, 'ready')
    child.kill(signal)
    const { exitCode, stdout } = await child
    expect({ exitCode, stdout }).toEqual({ exitCode: 7, stdout: 'ready\n42' })
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('leaves Ctrl-C at the terminal to COMMAND, which gets it once', async () => {
    const count = `n=0; trap 'n=$((n+1))' INT; echo ready; i=0; while [ $n -eq 0 ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done;
      i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done;
      psql -XAtc "select 'presses', $n" | cat; exit 9`
    const words = [program, 'local-run', '-C', backups[form].root, '--', 'sh', '-c', count]
    const [file = '', ...args] = [
      ...(options.asRoot ? [] : asUser()),
      'script',
      '-qec',
      `exec ${[process.execPath, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')}`,
      '/dev/null',
    ]
    const env = { HOME: cache, XDG_CACHE_HOME: cache }
    const child = execa(file, args, { cwd: '/', env, reject: false, stdin: 'pipe' })
    await untilItPrints(child as never, 'ready')
    child.stdin?.write('\x03')
    const { exitCode, stdout } = await child
    expect({ exitCode, said: /presses.*/.exec(stdout)?.[0] }).toEqual({ exitCode: 9, said: 'presses|1' })
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('whose server is killed while COMMAND runs ends with an error that shows the end of its log', async () => {
    const wait = ['sh', '-c', 'echo ready; while psql -c "select 1" >/dev/null 2>&1; do sleep 0.05; done']
    const child = startLocalRun(backups[form].root, ['--', ...wait], options)
    await untilItPrints(child, 'ready')
    process.kill(await serverIn(backups[form].root), 'SIGKILL')
    const { exitCode, stderr } = await child
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the server of the working copy ended by itself')
    expect(stderr).toMatch(/The last lines of its log:\n.*/)
    expect(stderr).toContain('database system is ready to accept connections')
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('whose server is killed while it waits for Ctrl-C ends with the same error', async () => {
    const { child, pid } = await aReadyRun(backups[form].root, [], options)
    process.kill(pid, 'SIGKILL')
    const { exitCode, stderr } = await child
    expect(exitCode).toBe(1)
    expect(stderr).toContain('database system is ready to accept connections')
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it.each([
    ['SIGINT', 0],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('without COMMAND ends by %s with status %i', async (signal, status) => {
    const { child } = await aReadyRun(backups[form].root, [], options)
    child.kill(signal)
    expect((await child).exitCode).toBe(status)
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('does not wait for its sessions after a second SIGINT', async () => {
    const { child, sql, directory } = await aReadyRun(backups[form].root, [], options)
    const asked = sql('select pg_sleep(600)', 'postgres').catch(() => {})
    const session = await sessionIn(directory)
    process.kill(session, 'SIGSTOP')
    child.kill('SIGINT')
    await sleep(500)
    expect(child.exitCode).toBe(null)
    child.kill('SIGINT')
    expect((await child).exitCode).toBe(0)
    await asked
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })
})

describe.each(forms)('runs of a %s backup that are killed at random moments', (form) => {
  const moments = randomNumbers(roundsOf(2), 1200, 'local-run')

  it.each(moments.map((ms, n): [number, boolean, number] => [n, n % 2 === 1, ms]))(
    'at moment %i of the seed, their supervisor with them: %s, leave nothing after the next run',
    async (_, withSupervisor, ms) => {
      const copy = ms % 3 === 0 ? ['--working-copy', 'copy'] : []
      const child = startLocalRun(backups[form].root, copy)
      await sleep(ms)
      const shells = withSupervisor ? pidsIn(backups[form].root).filter(isShell) : []
      child.kill('SIGKILL')
      for (const pid of shells) killIfThere(Number(pid))
      await child
      expect(await localRun(backups[form].root, ['--', 'true'])).toMatchObject({ status: 0 })
      await until('servers have ended', () => remainsOf(backups[form].root).processes.length === 0)
      expect(remainsOf(backups[form].root)).toEqual(nothing)
    },
  )
})

function isShell(pid: string): boolean {
  try {
    return /^(sh|unshare)$/m.test(readFileSync(`/proc/${pid}/comm`, 'utf8'))
  } catch {
    return false
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended
  }
}

/** The pid of the one server that runs in a root. */
async function serverIn(root: string): Promise<number> {
  const isServer = (pid: string) => /^[^\0]*\/postgres\0-D\0/.test(wordsOf(pid).join('\0'))
  let found: string | undefined
  await until('there is a server', () => {
    found = pidsIn(root).find(isServer)
    return found !== undefined
  })
  return Number(found)
}

/** The pid of the session that sleeps. */
async function sessionIn(directory: string): Promise<number> {
  let found: string | undefined
  await until('a session sleeps', () => {
    found = pidsIn(directory).find((pid) => /SELECT/.test(wordsOf(pid).join('\0')))
    return found !== undefined
  })
  return Number(found)
}
