import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../context.js'
import { systemCode } from '../errors.js'
import { runProgram } from '../program.js'
import { programEnvironment } from './connection.js'

/**
 * Ends the pg_basebackup processes that a killed create has left behind: those whose command line names its data
 * directory as their `--pgdata`, and no others. Returns how many there were.
 */
export async function endOrphans(dataDirectory: string, env: Environment): Promise<number> {
  const mine = () => findProcesses(dataDirectory, env)
  const found = await mine()
  for (const pid of found) endProcess(pid, 'SIGTERM')
  for (let waited = 0; found.length > 0 && (await mine()).length > 0; waited += 20) {
    if (waited === 2000) for (const pid of await mine()) endProcess(pid, 'SIGKILL')
    if (waited > 5000) break
    await sleep(20)
  }
  return found.length
}

async function findProcesses(dataDirectory: string, env: Environment): Promise<number[]> {
  const isMine = (command: string[]) => samePlace(pgdataOf(command), dataDirectory)
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    if (pids.length > 0) return pids.filter((pid) => isMine(commandLine(pid))).map(Number)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
  const { stdout } = await runProgram('ps', ['-A', '-ww', '-o', 'pid=,args='], {
    env: programEnvironment(env),
  })
  return stdout
    .split('\n')
    .filter((line) => line.includes(`pg_basebackup --pgdata=${dataDirectory} `))
    .map((line) => Number.parseInt(line, 10))
}

function pgdataOf(command: string[]): string | undefined {
  return command.find((argument) => argument.startsWith('--pgdata='))?.slice('--pgdata='.length)
}

/** The killed create may have reached the root by another name, such as a symbolic link. */
function samePlace(one: string | undefined, other: string): boolean {
  if (one === undefined) return false
  return one === other || (existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other))
}

/** The arguments of a process; none when it has ended or is somebody else's. */
function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error
  }
}
