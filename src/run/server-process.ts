import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../context.js'
import { PgbkError } from '../errors.js'
import { holdProgram } from '../program.js'

export interface ServerProcess {
  pid: number
  /** Stops it (fast shutdown) and waits for its end. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** `postgres` with its arguments. */
  command: string[]
  cwd: string
  log: string
  env: Environment
  signal: AbortSignal
  /** Whether the server answers queries as it should. */
  isReady(): Promise<boolean>
}

/**
 * The server is a child of a shell that waits for the end of its own input, which comes when this process ends, in whatever
 * way: so a killed pgbk leaves no server behind. A background command's input is /dev/null, hence the descriptor 3.
 */
const supervisor = `
cd "$1" && log=$2 && shift 2 || exit
exec 3<&0
"$@" >>"$log" 2>&1 </dev/null & server=$!
{ cat <&3; kill -INT $server 2>/dev/null; } >/dev/null 2>&1 &
echo $server
wait $server
`

/**
 * Starts a server that lives no longer than this process, and waits until it is ready.
 * @throws {PgbkError} `failed` with the last lines of its log when it ends before.
 */
export async function startServer(options: StartOptions): Promise<ServerProcess> {
  const { command, cwd, log, env, signal } = options
  const held = await holdProgram('sh', ['-c', supervisor, 'sh', cwd, log, ...command], { env, signal })
  const pid = Number(held.firstLine)
  if (!pid) throw new PgbkError('failed', `cannot start ${command[0]}: ${held.stderr().trim()}`)
  try {
    while (!(await options.isReady())) {
      if (held.hasEnded()) throw new PgbkError('failed', 'the server did not start', { hint: lastLines(log) })
      await sleep(20, undefined, { signal })
    }
  } catch (error) {
    await held.end()
    signal.throwIfAborted()
    throw error
  }
  return { pid, stop: () => held.end() }
}

function lastLines(log: string): string {
  return `The last lines of its log ${log}:\n${readFileSync(log, 'utf8').trimEnd().split('\n').slice(-10).join('\n')}`
}
