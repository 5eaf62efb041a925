import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../context.js'
import { PgbkError } from '../errors.js'
import { lastLines } from '../postgres/server-log.js'
import { isAlive, startTimeOf } from '../processes.js'
import { holdProgram } from '../program/hold-program.js'

/** A server that ends with this process, unless it is detached. */
export interface SupervisedServer {
  pid: number
  hasEnded(): boolean
  /** Stops it (fast shutdown), waits for its end and for the clean-up. */
  stop(): Promise<void>
  /** Stops it without waiting for anything (immediate shutdown). */
  stopAtOnce(): void
  /** Lets it go on without this process; its clean-up still comes when it ends. */
  detach(): void
}

export interface SuperviseOptions {
  /** Words before the shell that supervises: `unshare` with its options. */
  prefix?: string[]
  /** Shell commands before the server starts; their failure is the reason why it cannot. */
  setUp?: string
  /** Arguments of these commands: `$1`, `$2` ... `setUp` must shift as many as it takes. */
  setUpArguments?: string[]
  /** Shell commands when all is over. */
  cleanUp?: string
  /** Words that drop privileges, before everything that is not set-up and clean-up. */
  dropping?: string[]
  /** The server's command line. */
  command: string[]
  /** Relative paths in the commands start here. */
  cwd: string
  log: string
  env: Environment
  signal: AbortSignal
}

/**
 * The server is a child of a shell that reads its own input: that ends when this process ends, in whatever way, so that a
 * killed pgbk leaves no server behind. The input of a background command is /dev/null, hence the descriptor 3.
 *
 * Where this is root's shell, the server's user can rename the run's directory and put links into it: the log is opened with
 * that user's rights, and the clean-up happens where the first shell has stood all the time, not where a path leads.
 */
function script(setUp: string, cleanUp: string): string {
  return `
trap '' PIPE
cd "$1" || exit 70
run=$PWD
shift
(
${setUp}
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{
  while read -r word <&3; do
    case $word in
      fast) kill -INT $server ;;
      immediate) kill -QUIT $server ;;
      detach) exit ;;
    esac
  done
  kill -INT $server
} >/dev/null 2>&1 &
reader=$!
echo $server
while kill -0 $server 2>/dev/null; do wait $server; done
echo ended
wait $reader
exit 0
) || exit
${cleanUp}
`
}

/** @throws {PgbkError} `failed`, with what the set-up said, when the server could not even be called. */
export async function supervise(options: SuperviseOptions): Promise<SupervisedServer> {
  const {
    prefix = [],
    setUp = '',
    setUpArguments = [],
    cleanUp = '',
    dropping = [],
    cwd,
    log,
    command,
  } = options
  const [file = '', ...args] = [
    ...prefix,
    'sh',
    '-c',
    script(setUp, cleanUp),
    'sh',
    cwd,
    ...setUpArguments,
    ...dropping,
    'sh',
    '-c',
    'exec "$@" >>"$0" 2>&1',
    log,
    ...command,
  ]
  const held = await holdProgram(file, args, { env: options.env, signal: options.signal })
  const pid = Number.parseInt(held.firstLine ?? '', 10)
  if (!pid) throw new PgbkError('failed', held.stderr().trim() || `${file} ended without a word`)
  const startTime = startTimeOf(pid)
  // The shell says so a little later: what has noticed the server's end must not be quicker.
  const hasEnded = () => held.hasEnded() || held.output().includes('ended') || !isAlive(pid, startTime)
  return {
    pid,
    hasEnded,
    stop: async () => {
      held.write('fast\n')
      // Its input stays open until then, for somebody who does not want to wait.
      while (!hasEnded()) await sleep(10)
      await held.end()
    },
    stopAtOnce: () => held.write('immediate\n'),
    detach: () => {
      held.write('detach\n')
      held.release()
    },
  }
}

/**
 * Waits until a server answers.
 * @returns its answer.
 * @throws {PgbkError} `failed`, with the last lines of its log, when it ends before; the signal's reason when aborted.
 */
export async function waitUntilReady<T>(
  hasEnded: () => boolean,
  log: string,
  signal: AbortSignal,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    signal.throwIfAborted()
    if (hasEnded()) throw new PgbkError('failed', 'the server did not start', { hint: lastLines(log) })
    await sleep(10)
  }
}
