import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { PgbkError, systemCode } from '../../errors.js'

/**
 * Where no service is registered (RFC 6335), and Linux, unless it was told otherwise, takes none for outgoing connections
 * (`ip_local_port_range`, ip(7)): an instance that is stopped finds its port free again.
 */
const [lowest, highest] = [61_000, 65_535]

/** The wanted port, or a free one. @throws {PgbkError} `failed` when the wanted one is taken. */
export async function choosePort(wanted?: number): Promise<number> {
  if (wanted !== undefined) {
    const found = await tryPort(wanted)
    if (typeof found === 'number') return wanted
    if (found === 'EACCES')
      throw new PgbkError('failed', `port ${wanted} is only for root`, {
        facts: { port: wanted },
        hint: 'Choose one from 1024 on, or leave --port out: pgbk then takes a free one.',
      })
    throw new PgbkError('failed', `port ${wanted} is in use`, {
      facts: { port: wanted },
      hint: 'Choose another one, or leave --port out: pgbk then takes a free one.',
    })
  }
  for (let attempts = 0; attempts < 100; attempts++) {
    const port = await tryPort(attempts < 50 ? randomInt(lowest, highest + 1) : 0)
    if (typeof port === 'number') return port
  }
  throw new PgbkError('failed', 'the system gives no free port')
}

/** Whether a server could listen on it. */
export async function isFree(port: number): Promise<boolean> {
  return typeof (await tryPort(port)) === 'number'
}

/** The port, a free one for 0; else why it is not available. */
function tryPort(port: number): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve(systemCode(error)))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
