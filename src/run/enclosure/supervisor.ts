import { setTimeout as sleep } from 'node:timers/promises'
import type { Context, Environment } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { serverFailure } from '../../postgres/local/server-log.js'
import { wasCutOff } from '../../postgres/local/session-failures.js'
import { isAlive, pidHere, startTimeOf } from '../../system/process/process-table.js'
import { type StdinBoundProgram, startStdinBound } from '../../system/program/start-stdin-bound.js'
import { endProcesses, ofServer } from '../directory/end-run.js'
import { fileServerFailure } from '../working-copy/file-server-failure.js'
import { supervisorScripts } from './supervisor-scripts.js'

/** A server that ends with this process, unless it is detached. */
export interface SupervisedServer {
  pid: number
  hasEnded(): boolean
  /**
   * Waits until nothing in its surroundings can change the directory of its socket any more, or it has ended.
   * @throws {PgbkError} `failed`, with the reason, when that is not available; the signal's reason when aborted.
   */
  sealed(): Promise<void>
  /** Stops it, the harder the longer it takes, at once when `urgent`; waits for its end and for the clean-up. */
  stop(context: Pick<Context, 'urgent'>): Promise<void>
  /** Lets it go on without this process; its clean-up still comes when it ends. */
  detach(): void
}

/** In which name spaces a server lives, and what is made in them before it starts. */
export interface Namespaces {
  /** Words before the shell that watches over the server: `unshare`, with what the server shares with its relay. */
  outer: string[]
  /** Words before the server's own shell: `unshare`, with what the server has for itself. */
  inner: string[]
  /** Whether the server has pids of its own: then all in there ends when its shell does (`unshare --kill-child`). */
  ownPids: boolean
  /** Shell commands of the shell that watches, before anything else. */
  outerSetUp: string
  /** Shell commands of the server's own shell; their failure is the reason why it cannot start. */
  setUp: string
  /** The socket whose directory it has to itself, to be sealed when the socket is there; "" for none. */
  socket: string
  /** Arguments of these commands: `$1`, `$2` ... `setUp` must shift as many as it takes. */
  setUpArguments: string[]
}

/** None but those of the caller. */
export const noNamespaces: Namespaces = {
  outer: [],
  inner: [],
  ownPids: false,
  socket: '',
  outerSetUp: '',
  setUp: '',
  setUpArguments: [],
}

/** A program that goes on beside the server, outside of its pids, and ends with it. */
export interface Companion {
  command: [string, string, string, string]
  /** An open file of this process, which it gets as its standard input. */
  descriptor: number
}

interface SuperviseOptions {
  namespaces?: Namespaces
  companion?: Companion | undefined
  /** Node, the program of a file server, and a word by which it is known; see `WorkingCopyAccess`. */
  fileServer?: [string, string, string] | undefined
  /** Shell commands when all is over; `$run` is `cwd`, `$sockets` the directory of its socket. */
  cleanUp?: string
  sockets?: string
  /** Words that drop privileges. */
  dropping?: string[]
  /** The server's command line. */
  command: string[]
  /** Relative paths in the commands start here. */
  cwd: string
  log: string
  env: Environment
  signal: AbortSignal
}

/** @throws {PgbkError} `failed`, with what the set-up said, when the server could not even be called. */
export async function supervise(options: SuperviseOptions): Promise<SupervisedServer> {
  const [file = '', ...args] = supervisorCommand(options)
  const { env, signal, companion } = options
  const descriptor = companion?.descriptor
  const held = await startStdinBound(file, args, {
    ...{ kind: 'server', env, signal, descriptor, endsByInput: true },
  })
  const pidThere = Number.parseInt(held.firstLine ?? '', 10)
  if (!pidThere) {
    const said = fileServerFailure(options.log) ?? held.stderr().trim()
    // Its shells wait for that, where it was called, and has ended before it could say so; they may remove the log.
    await held.end()
    throw new PgbkError('failed', said || `${file} ended without a word`, { facts: { said } })
  }
  if (!options.namespaces?.ownPids) return supervised(held, pidThere, nothingToSeal)
  const pid = pidHere(pidThere, held.pid)
  if (pid !== undefined) held.write(`pid ${pid}\n`)
  const isSealed = options.namespaces.socket === '' ? nothingToSeal : sealOf(held, options.signal)
  return supervised(held, pid, isSealed)
}

const nothingToSeal = () => true

/** Tells whether the directory of its socket is sealed. @throws as `sealed`. */
function sealOf(held: StdinBoundProgram, signal: AbortSignal): () => boolean {
  return () => {
    signal.throwIfAborted()
    const [, reason] = /^unsealed ?(.*)$/m.exec(held.output()) ?? []
    if (reason === undefined) return hasSaid(held, 'sealed')
    throw new PgbkError('failed', `the directory of the server's socket cannot be made read-only: ${reason}`)
  }
}

function hasSaid(held: StdinBoundProgram, line: string): boolean {
  return held.output().split('\n').includes(line)
}

function supervisorCommand(options: SuperviseOptions): string[] {
  const {
    namespaces = noNamespaces,
    companion,
    fileServer,
    dropping = [],
    cwd,
    log,
    sockets = '',
    command,
  } = options
  const { outer, inner, ownPids, socket, outerSetUp, setUp, setUpArguments } = namespaces
  const scripts = supervisorScripts({ outerSetUp, setUp, cleanUp: options.cleanUp ?? '' })
  const shell = (script: string) => ['sh', '-c', script, 'sh']
  return [
    ...shell(scripts.outermost),
    ...[cwd, sockets],
    ...outer,
    ...shell(scripts.watching),
    ...[ownPids ? 'KILL' : 'QUIT', ...(companion?.command ?? ['', '', '', ''])],
    ...(fileServer ?? ['', '', '']),
    ...inner,
    ...shell(scripts.starting),
    ...[log, ownPids ? 'own' : '', socket],
    ...setUpArguments,
    ...dropping,
    ...command,
  ]
}

/**
 * @param pid undefined when it has ended at once.
 * @param isSealed is asked until it says so.
 */
function supervised(
  held: StdinBoundProgram,
  pid: number | undefined,
  isSealed: () => boolean,
): SupervisedServer {
  const startTime = pid === undefined ? undefined : startTimeOf(pid)
  // The shell says so a little later: what has noticed the server's end must not be quicker.
  const hasEnded = () =>
    held.hasEnded() || hasSaid(held, 'ended') || pid === undefined || !isAlive(pid, startTime)
  return {
    pid: pid ?? 0,
    hasEnded,
    sealed: async () => {
      while (!isSealed() && !hasEnded()) await sleep(5)
    },
    stop: async (context) => {
      await endProcesses(() => (pid === undefined || hasEnded() ? [] : [pid]), context, ofServer)
      await held.end()
    },
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
    if (hasEnded()) throw serverFailure('the server did not start', log)
    await sleep(10)
  }
}

/** Waits for an end, and says whether it has come in time. */
export async function endsWithin(ms: number, hasEnded: () => boolean): Promise<boolean> {
  for (let waited = 0; !hasEnded() && waited < ms; waited += 20) await sleep(20)
  return hasEnded()
}

/** How long a server that has cut a session off may take until it has ended, or says that it starts over. */
const endsWithinMs = 5000

/**
 * What is to be told of an error: where a session was cut off because its server ends, or starts over, what the log says of it.
 * @param hasEnded whether the server has ended, or has crashed and starts over.
 */
export async function toldByLog(error: unknown, hasEnded: () => boolean, log: string): Promise<unknown> {
  if (!wasCutOff(error)) return error
  return (await endsWithin(endsWithinMs, hasEnded))
    ? serverFailure(`the server ended before it was ready (log: ${log})`, log)
    : error
}
