import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { PgbkError } from '../errors.js'
import { socketDirectory } from './sockets.js'

/** The wanted port, or a free one. @throws {PgbkError} `failed` when the wanted one is taken. */
export async function choosePort(wanted?: number): Promise<number> {
  if (wanted !== undefined) {
    if ((await bind(wanted)) !== undefined && !existsSync(socketOf(wanted))) return wanted
    throw new PgbkError('failed', `port ${wanted} is in use`, {
      hint: 'Choose another one, or leave --port out: pgbk then takes a free one.',
    })
  }
  for (let attempts = 0; attempts < 100; attempts++) {
    const port = await bind(0)
    if (port !== undefined && !existsSync(socketOf(port))) return port
  }
  throw new PgbkError('failed', 'the system gives no free port')
}

function socketOf(port: number): string {
  return `${socketDirectory}/.s.PGSQL.${port}`
}

/** The port, if it could be had. */
function bind(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
