import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** The directory of the servers' sockets: short, and known to every psql line that is printed. */
export const socketDirectory = '/tmp'

/** A server that was killed leaves its socket and its lock, whose second line is the data directory. */
export function removeSockets(isGone: (dataDirectory: string) => boolean): void {
  for (const name of readdirSync(socketDirectory).filter((one) => /^\.s\.PGSQL\.\d+\.lock$/.test(one))) {
    const lock = join(socketDirectory, name)
    if (!isGone(linesOf(lock)[1] ?? '')) continue
    rmSync(lock, { force: true })
    rmSync(lock.replace(/\.lock$/, ''), { force: true })
  }
}

function linesOf(path: string): string[] {
  try {
    if (!lstatSync(path).isFile()) return [] // anybody may put a pipe into /tmp, which would never end
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return [] // somebody else's, or gone
  }
}
