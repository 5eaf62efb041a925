import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { atEndOfFile } from './places.js'
import type { Ended } from './programs.js'
import { asUser, isRoot, ordinaryUser } from './users.js'

const script = fileURLToPath(new URL('../tools/pgbk-host.js', import.meta.url))

/** A command line of pgbk, and what its process would be given. */
export interface HostedCall {
  args: string[]
  env: Record<string, string>
  cwd: string
  /** As `PgbkOptions` has it. */
  interruptWhen?: ((printed: string) => boolean) | undefined
}

/**
 * A process of the ordinary user that carries out one command line of the built pgbk after the other, in the place of a process for
 * each: most of what tests ask for takes less than to start one.
 */
export interface PgbkHost {
  /** Whether a command line is being carried out. There is never a second one at the same time. */
  isBusy(): boolean
  run(call: HostedCall): Promise<Ended>
  /** Whether it is there to be asked again. */
  isAlive(): boolean
}

/** Starts one, which goes when the tests of this file are over. */
export function startPgbkHost(): PgbkHost {
  const directory = mkdtempSync(join(tmpdir(), 'pgbk-host-'))
  const [out, errors] = ['out', 'errors'].map((name) => outputFile(join(directory, name))) as [Output, Output]
  const child = startHost(out, errors)
  let busy = false
  atEndOfFile(async () => {
    if (isAlive(child)) {
      child.disconnect()
      await once(child, 'exit')
    }
    for (const { fd } of [out, errors]) closeSync(fd)
    rmSync(directory, { recursive: true })
  })
  return {
    isBusy: () => busy,
    isAlive: () => isAlive(child),
    run: async ({ interruptWhen, ...call }) => {
      busy = true
      for (const { fd } of [out, errors]) ftruncateSync(fd)
      const watch =
        interruptWhen &&
        setInterval(() => {
          if (!interruptWhen(textOf(out))) return
          clearInterval(watch)
          child.kill('SIGINT')
        }, 50)
      const status = await answerOf(child, call)
      clearInterval(watch)
      busy = false
      return { status, stdout: textOf(out), stderr: textOf(errors) }
    },
  }
}

function startHost(out: Output, errors: Output): ChildProcess {
  const [file = '', ...args] = [...asUser(), process.execPath, script]
  return spawn(file, args, {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdio: ['ignore', out.fd, errors.fd, 'ipc'],
  })
}

function isAlive({ exitCode, signalCode, connected }: ChildProcess): boolean {
  return exitCode === null && signalCode === null && connected
}

/** The exit status; where the process does not survive it, that of the process. */
async function answerOf(child: ChildProcess, call: HostedCall): Promise<number | undefined> {
  const end = new AbortController()
  const { signal } = end
  try {
    const answer = once(child, 'message', { signal }).then(([status]) => status as number)
    const exit = once(child, 'exit', { signal }).then(
      ([status]) => (status ?? undefined) as number | undefined,
    )
    child.send(call)
    return await Promise.race([answer, exit])
  } finally {
    end.abort()
  }
}

interface Output {
  path: string
  fd: number
}

/** Everything is written at its end, by whichever process. */
function outputFile(path: string): Output {
  const fd = openSync(path, 'a', 0o600)
  if (isRoot) chownSync(path, ordinaryUser.uid, ordinaryUser.gid)
  return { path, fd }
}

/** Without the last line feed, as execa gives it. */
function textOf({ path }: Output): string {
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
}
