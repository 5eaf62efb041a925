import { createServer } from 'node:net'
import { PgbkError } from '../../errors.js'

/** A port of 127.0.0.1 that is listened on; who gets the descriptor can take its connections. */
interface HeldPort {
  descriptor: number
  /** Of this process's own hold on it. */
  release(): void
}

/** @throws {PgbkError} `failed` when another program has taken it. */
export function holdPort(port: number): Promise<HeldPort> {
  return new Promise((resolve, reject) => {
    const server = createServer((early) => early.destroy())
    server.once('error', (cause) => reject(new PgbkError('failed', `port ${port} cannot be had`, { cause })))
    server.listen(port, '127.0.0.1', () => {
      // Node hands a listening socket to programs by this number only.
      const { fd: descriptor = -1 } = (server as unknown as { _handle: { fd?: number } })._handle
      const release = () => void server.close()
      if (descriptor >= 0) return resolve({ descriptor, release })
      release()
      reject(new PgbkError('failed', `port ${port} cannot be handed on`))
    })
  })
}
