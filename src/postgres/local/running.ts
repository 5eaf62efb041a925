import { readlinkSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PgbkError, systemCode } from '../../errors.js'
import { mostBytes, readSmallText } from '../../system/files/read-small.js'
import { isAlive, processUser } from '../../system/process/process-table.js'

/**
 * The process of a server that runs in a data directory, by its postmaster.pid. A pid may have been given to another program
 * since: where /proc tells the working directory of that process, it must be this one, and where it tells only whose it is, that
 * must be the directory's owner, as checkDataDir() in src/backend/utils/init/miscinit.c wants.
 */
export function runningServer(dataDirectory: string): number | undefined {
  const pid = pidIn(join(dataDirectory, 'postmaster.pid'))
  if (pid === undefined || !isAlive(pid)) return undefined
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDirectory) ? pid : undefined
  } catch {
    const user = processUser(pid)
    return user === undefined || user === statSync(dataDirectory).uid ? pid : undefined
  }
}

export interface Postmaster {
  pid: number
  port: number
  /** Empty where it has none. */
  socketDirectory: string
  /** `standby`: it replays WAL and does not answer; `ready`: it answers, but may still replay. */
  status: 'starting' | 'standby' | 'ready' | 'stopping'
}

/** What a running server says of itself in postmaster.pid (src/include/utils/pidfile.h); undefined when none runs. */
export function readPostmaster(dataDirectory: string): Postmaster | undefined {
  if (runningServer(dataDirectory) === undefined) return undefined
  const [pid, , , port, socketDirectory = '', , , status = ''] = linesOf(
    join(dataDirectory, 'postmaster.pid'),
  )
  // It is written line by line while the server starts.
  const said = ['standby', 'ready', 'stopping'].find((one) => one === status.trim()) ?? 'starting'
  return { pid: Number(pid), port: Number(port), socketDirectory, status: said as Postmaster['status'] }
}

function pidIn(file: string): number | undefined {
  const pid = Number.parseInt(linesOf(file)[0] ?? '', 10)
  return pid > 0 ? pid : undefined
}

function linesOf(file: string): string[] {
  try {
    return readSmallText(file, mostBytes.note).split('\n')
  } catch (error) {
    // No server writes anything but a file there.
    if (systemCode(error) === 'ENOENT' || error instanceof PgbkError) return []
    throw error
  }
}
