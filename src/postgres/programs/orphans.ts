import { existsSync, realpathSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../../context.js'
import { findOwnProcesses, hasProc, signalProcess } from '../../system/process/process-table.js'
import { runProgram } from '../../system/program/run-program.js'

/**
 * Ends the pg_basebackup processes that a killed create has left behind: those whose command line names its data
 * directory as their `--pgdata`, and no others. Returns how many there were.
 */
export function endOrphans(dataDirectory: string, env: Environment): Promise<number> {
  return endAll({ program: 'pg_basebackup', option: '--pgdata', directory: dataDirectory }, env)
}

/** The same for the pg_receivewal processes that write into a WAL archive. */
export function endOrphanedReceivers(directory: string, env: Environment): Promise<number> {
  return endAll({ program: 'pg_receivewal', option: '--directory', directory }, env)
}

/** A program that was told to write into a directory. */
interface Orphan {
  program: string
  option: string
  directory: string
}

async function endAll(orphan: Orphan, env: Environment): Promise<number> {
  const find = () => findOrphans(orphan, env)
  const found = await find()
  for (const pid of found) signalProcess(pid, 'SIGTERM')
  for (let waited = 0; found.length > 0 && waited <= 5000; waited += 20) {
    const left = await find()
    if (left.length === 0) break
    if (waited === 2000) for (const pid of left) signalProcess(pid, 'SIGKILL')
    await sleep(20)
  }
  return found.length
}

async function findOrphans(orphan: Orphan, env: Environment): Promise<number[]> {
  const { program, option, directory } = orphan
  if (hasProc()) return findOwnProcesses((command) => writesInto(command, orphan))
  const { stdout } = await runProgram('ps', ['-A', '-ww', '-o', 'pid=,args='], {
    env,
  })
  return stdout
    .split('\n')
    .filter((line) => line.includes(`${program} ${option}=${directory} `))
    .map((line) => Number.parseInt(line, 10))
}

function writesInto([program = '', ...args]: string[], orphan: Orphan): boolean {
  if (basename(program) !== orphan.program) return false
  const start = `${orphan.option}=`
  return args.some((argument) =>
    samePlace(argument.startsWith(start) ? argument.slice(start.length) : undefined, orphan.directory),
  )
}

/** The killed create may have reached the root by another name, such as a symbolic link. */
function samePlace(one: string | undefined, other: string): boolean {
  if (one === undefined) return false
  return one === other || (existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other))
}
