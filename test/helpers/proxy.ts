import { connect, createServer, type Socket } from 'node:net'
import { atEnd } from './places.js'

/** Something that listens where a server is expected. */
export interface Listener {
  port: number
  /** Cuts every connection. */
  cut(): void
  close(): void
}

const open: Listener[] = []

atEnd(() => {
  for (const listener of open.splice(0)) listener.close()
})

/** Passes connections on to a server's TCP port, until they are cut. */
export function aProxyTo(port: number): Promise<Listener> {
  return listen((client) => {
    const upstream = connect(port, '127.0.0.1')
    upstream.on('error', () => client.destroy())
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
}

/** Closes every connection at once, as something does that is no PostgreSQL. */
export function aPortThatHangsUp(): Promise<Listener> {
  return listen((client) => client.destroy())
}

/** Takes connections and never answers, as a server whose processes are stopped. */
export function aPortThatHangs(): Promise<Listener> {
  return listen(() => {})
}

async function listen(onConnection: (client: Socket) => void): Promise<Listener> {
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('error', () => {})
    client.on('close', () => clients.delete(client))
    onConnection(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const client of clients) client.destroy()
  }
  const { port } = server.address() as { port: number }
  const listener = {
    port,
    cut,
    close: () => {
      cut()
      server.close()
    },
  }
  open.push(listener)
  return listener
}
