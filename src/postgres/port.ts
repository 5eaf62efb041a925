import { lstatSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { PgbkError, systemCode } from '../errors.js'
import { socketDirectory } from './sockets.js'

/** The wanted port, or a free one. @throws {PgbkError} `failed` when the wanted one is taken. */
export async function choosePort(wanted?: number): Promise<number> {
  if (wanted !== undefined) {
    const found = await tryPort(wanted)
    if (typeof found === 'number') return wanted
    if (found === 'EACCES')
      throw new PgbkError('failed', `port ${wanted} is only for root`, {
        hint: 'Choose one from 1024 on, or leave --port out: pgbk then takes a free one.',
      })
    throw new PgbkError('failed', `port ${wanted} is in use`, {
      hint: 'Choose another one, or leave --port out: pgbk then takes a free one.',
    })
  }
  for (let attempts = 0; attempts < 100; attempts++) {
    const port = await tryPort(0)
    if (typeof port === 'number') return port
  }
  throw new PgbkError('failed', 'the system gives no free port')
}

/** Whether a server could listen on it. */
export async function isFree(port: number): Promise<boolean> {
  return typeof (await tryPort(port)) === 'number'
}

/** The port, a free one for 0; else why it cannot be had. */
async function tryPort(wanted: number): Promise<number | string | undefined> {
  const found = await bind(wanted)
  return typeof found === 'number' && (await isSocketTaken(found)) ? 'EADDRINUSE' : found
}

/** A server that was killed leaves its socket behind: the next one takes it over, if it is the same user's. */
async function isSocketTaken(port: number): Promise<boolean> {
  const path = `${socketDirectory}/.s.PGSQL.${port}`
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return false
  return found.uid !== process.geteuid?.() || (await connecting(path)) !== 'ECONNREFUSED'
}

/** What connecting fails with; undefined when it does not. */
function connecting(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('error', (error) => resolve(systemCode(error)))
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
  })
}

/** The port, if it could be had, else why not. */
function bind(port: number): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve(systemCode(error)))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
