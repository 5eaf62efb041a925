import { chmodSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { sessionSocket } from '../../../src/postgres/local/session-socket.js'
import { connectSql } from '../../../src/postgres/local/sql-client.js'
import { asOrdinaryUser, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

let directory: string
let server: Server
let open: Set<Socket>

/** A server that takes sessions and never says a word: what one looks like that is being stopped. */
beforeEach(async () => {
  directory = aDirectory()
  chmodSync(directory, 0o777)
  open = new Set()
  server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.resume()
  })
  await asOrdinaryUser(
    () => new Promise<void>((resolve) => server.listen(join(directory, '.s.PGSQL.5'), resolve)),
  )
})
afterEach(() => {
  for (const socket of open) socket.destroy()
  server.close()
})

it('is closed at once when the signal comes, at whatever moment of its beginning', async () => {
  for (let turns = 0; turns < 30; turns++) {
    const stop = new AbortController()
    const target = { host: directory, port: 5, user: 'me', database: 'app', major: 17, signal: stop.signal }
    const session = asOrdinaryUser(() => thrownBy(() => connectSql(target)))
    for (let turn = 0; turn < turns; turn++) await nextTurn()
    stop.abort('enough')
    expect(await session).toBe('enough')
    while (open.size > 0) await nextTurn()
  }
})

it('that the server resets ends nobody who does not listen at that moment', async () => {
  const path = join(directory, '.s.PGSQL.6')
  const hasty = createServer({ pauseOnConnect: true }, (one) => setTimeout(() => one.destroy(), 20))
  await asOrdinaryUser(() => new Promise<void>((resolve) => hasty.listen(path, resolve)))
  const { signal } = new AbortController()
  const session = await sessionSocket(path, { user: 'me', database: 'app', signal })
  const socket = session.take()
  socket.write('what the server never reads')
  while (!socket.closed) await nextTurn()
  expect(socket.errored).toMatchObject({ code: 'ECONNRESET' })
  expect(session.take).toThrow()
  hasty.close()
})
