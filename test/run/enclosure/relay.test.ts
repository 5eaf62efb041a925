import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { execa } from 'execa'

const program = fileURLToPath(new URL('../../../dist/relay.js', import.meta.url))

const listening = (): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
  })

/** A relay that is told of this parent, with the listening socket as its standard input. */
function relayOf(parent: number, server: Server) {
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  return execa(process.execPath, [program, '1', 'pgbk.run=none', String(parent)], {
    stdin: fd as 0,
    stdout: 'ignore',
    stderr: 'ignore',
    reject: false,
  })
}

it('goes on while its parent is there, and ends at once where that is another one by now', async () => {
  const server = await listening()
  const kept = relayOf(process.pid, server)
  const orphan = relayOf(process.pid + 1, server)
  expect(await orphan).toMatchObject({ exitCode: 0 })
  await sleep(100)
  expect(kept.exitCode).toBeNull()
  kept.kill()
  expect(await kept).toMatchObject({ signal: 'SIGTERM' })
  server.close()
  await once(server, 'close')
})
