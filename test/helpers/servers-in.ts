import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** kill -9 for the servers below a directory with all their processes, as when the machine goes down, until the system has forgotten them. */
export async function killServersIn(directory: string): Promise<void> {
  const killed = new Set<string>()
  for (;;) {
    const pids = serversIn(directory)
    for (const pid of pids) {
      kill(pid)
      killed.add(pid)
    }
    // A zombie holds postmaster.pid for PostgreSQL.
    if (pids.length === 0 && [...killed].every((pid) => !existsSync(`/proc/${pid}`))) return
    await sleep(20)
  }
}

function kill(pid: string): void {
  try {
    process.kill(Number(pid), 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/** The processes of servers that work in a directory. */
export function serversIn(directory: string): string[] {
  return pids().filter((pid) => textOf(`/proc/${pid}/comm`).startsWith('postgres') && worksIn(directory, pid))
}

/** The processes that work in a directory or were started with its name. */
export function pidsIn(directory: string): string[] {
  return pids().filter((pid) => worksIn(directory, pid))
}

function pids(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

function worksIn(directory: string, pid: string): boolean {
  return (
    textOf(`/proc/${pid}/cmdline`).includes(`${directory}/`) ||
    `${linkOf(`/proc/${pid}/cwd`)}/`.startsWith(`${directory}/`)
  )
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
