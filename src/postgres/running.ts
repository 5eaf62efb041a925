import { readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../errors.js'
import { isAlive } from '../processes.js'

/**
 * The process of a server that runs in a data directory, by its postmaster.pid. Where /proc tells the working directory of
 * that process, it must be this one: a pid may have been given to another program since.
 */
export function runningServer(dataDirectory: string): number | undefined {
  const pid = pidIn(join(dataDirectory, 'postmaster.pid'))
  if (pid === undefined || !isAlive(pid)) return undefined
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDirectory) ? pid : undefined
  } catch {
    return pid // another user's process, or no /proc: better one refusal too many
  }
}

function pidIn(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return pid > 0 ? pid : undefined
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
