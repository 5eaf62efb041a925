import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { needsRawStartup, sayRawNames } from './raw-startup.js'
import { sessionCutOff } from './session-failures.js'

/**
 * The socket of one session. It is pgbk's own, since the client package does not close one that it ends a session on before that has
 * begun, and waits for its own time limit then.
 */
export interface SessionSocket {
  /**
   * Gives it to the package, once: that would connect again by itself, without the checks of the socket, and perhaps to another server.
   * @throws {PgbkError} `failed`, also when it is closed already.
   */
  take(): Socket
  /** Cuts the session off. A second time does nothing. */
  close(): void
}

/**
 * Connects to a socket.
 * @param names what the session begins with.
 * @throws a system error; the signal's reason when aborted.
 */
export async function sessionSocket(
  path: string,
  { signal, ...names }: { user: string; database: string; signal: AbortSignal },
): Promise<SessionSocket> {
  const socket = connect(path)
  await once(socket, 'connect', { signal }).catch((error) => {
    socket.destroy()
    signal.throwIfAborted()
    throw error
  })
  // Whoever has taken it listens, too; before that, and after, a server that goes away shows by a socket that is destroyed.
  socket.on('error', () => {})
  if (needsRawStartup(names)) sayRawNames(socket, names)
  let isTaken = false
  return {
    take: () => {
      // The package would not see that it has closed before.
      if (isTaken || socket.destroyed) throw sessionCutOff()
      isTaken = true
      return socket
    },
    close: () => void socket.destroy(),
  }
}
