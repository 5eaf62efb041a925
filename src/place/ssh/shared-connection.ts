import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../../context.js'
import { makeSocketDirectory, removeSocketDirectory } from '../../postgres/local/sockets.js'

/** How long a connection waits for the next request, in s: then it ends by itself, also after this process was killed. */
const idleSeconds = 15

/**
 * Options of ssh by which all its calls share one connection (ssh_config(5)): the first makes it, and the next ones cost a round trip each.
 * Its socket is where nobody else gets in, until the command is over.
 */
export function sharedConnection({ atEnd }: Pick<Context, 'atEnd'>): string[] {
  const directory = makeSocketDirectory()
  atEnd(async () => {
    // Without its socket it takes no more requests, and ends when it has been idle.
    rmSync(join(directory, 'ssh'), { force: true })
    removeSocketDirectory(directory)
  })
  const options = [
    'ControlMaster=auto',
    `ControlPath=${join(directory, 'ssh')}`,
    `ControlPersist=${idleSeconds}`,
  ]
  return options.flatMap((option) => ['-o', option])
}
