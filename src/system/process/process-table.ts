import { readFileSync, readlinkSync } from 'node:fs'
import { systemCode } from '../../errors.js'
import { namesIn } from '../paths/names-in.js'

/** What tells a process from a later one with the same pid. Undefined when it has ended, or /proc is not available. */
export function startTimeOf(pid: number): string | undefined {
  const after = statOf(pid)
  return after === undefined || after[0] === 'Z' ? undefined : after[19]
}

/** Whether all processes of a group have ended, and are still in the table; false where there is no /proc. */
export function hasOnlyEnded(group: number): boolean {
  if (!hasProc()) return false
  return !allPids().some((pid) => {
    const [state, , its] = statOf(pid) ?? []
    return its === String(group) && state !== 'Z' && state !== 'X'
  })
}

/** Whether a process is still there; `startTime`, where it is known, must be the same. */
export function isAlive(pid: number, startTime?: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return false
  }
  const now = startTimeOf(pid)
  return hasProc() ? now !== undefined && (startTime === undefined || now === startTime) : true
}

/** The id of the user that a process works as; undefined when it has ended, or /proc does not tell. */
export function processUser(pid: number): number | undefined {
  const [, effective] = /^Uid:\s+\d+\s+(\d+)/m.exec(readProc(`/proc/${pid}/status`) ?? '') ?? []
  return effective === undefined ? undefined : Number(effective)
}

/**
 * The pid, as it is here, of a process that `ancestor` or its children have started, and that has another pid in a name space of
 * its own (proc_pid_status(5), NSpid). Undefined when it has ended.
 */
export function pidHere(pid: number, ancestor: number): number | undefined {
  if (!hasProc()) return pid
  return allPids().find((here) => statusOf(here, 'NSpid').at(-1) === pid && descends(here, ancestor))
}

function descends(pid: number, ancestor: number): boolean {
  const [parent = 0] = statusOf(pid, 'PPid')
  return parent === ancestor || (parent > 1 && descends(parent, ancestor))
}

/** The numbers of a line in /proc/PID/status. */
function statusOf(pid: number, line: 'NSpid' | 'PPid'): number[] {
  const [, numbers = ''] = new RegExp(`^${line}:(.*)$`, 'm').exec(readProc(`/proc/${pid}/status`) ?? '') ?? []
  return numbers.trim().split(/\s+/).map(Number)
}

/** The pids of all processes, whosever, whose command line the test accepts; none where there is no /proc. */
export function findProcesses(accepts: (command: string[], pid: number) => boolean): number[] {
  return allPids().filter((pid) => accepts((readProc(`/proc/${pid}/cmdline`) ?? '').split('\0'), pid))
}

/** Whether this process works as that user. */
export function isOwnUser(uid: number | undefined): boolean {
  return uid === process.geteuid?.()
}

/** Only our own: another user's may have any command line, and must not be waited for, or signalled. */
export function findOwnProcesses(accepts: (command: string[], pid: number) => boolean): number[] {
  return findProcesses(accepts).filter((pid) => isOwnUser(processUser(pid)))
}

/** Where a process works; undefined when it has ended, or is somebody else's. */
export function directoryOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/** Sends a signal; false when the process has ended, or is not ours. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (['ESRCH', 'EPERM'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

/** Whether Ctrl-C at the terminal reaches this process, and with it every other of its group. */
export function isInForeground(): boolean {
  const after = statOf('self')
  if (after === undefined) return process.stdin.isTTY === true
  const [, , group, , , foreground] = after
  return group === foreground
}

/** What tells the pids of this container, or machine, from those of others; undefined where there are no such spaces. */
export function pidSpace(): string | undefined {
  const boot = readProc('/proc/sys/kernel/random/boot_id')
  return boot === undefined ? undefined : `${readlinkSync('/proc/self/ns/pid')} ${boot.trim()}`
}

/** Whether this system shows its processes as files, as Linux does. */
export function hasProc(): boolean {
  return readProc(`/proc/${process.pid}/stat`) !== undefined
}

/** None where there is no /proc. */
function allPids(): number[] {
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/**
 * The fields of /proc/PID/stat from the third on, the state: the second, the name in parentheses, may hold anything. The start time, field
 * 22, is the 20th of these.
 */
function statOf(pid: number | 'self'): string[] | undefined {
  const fields = readProc(`/proc/${pid}/stat`)
  return fields?.slice(fields.lastIndexOf(')') + 2).split(' ')
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // ended meanwhile, somebody else's, or no /proc
  }
}
